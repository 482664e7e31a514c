import type { Signal } from '@sdbridge/syscalls'
import { runCommand } from '../engines/command-outcome.js'
import type { EngineCommand } from '../engines/engine-command.js'
import { killCommand } from './kill-command.js'
import { tell } from './operator-log.js'
import type { OwnContainer } from './own-container.js'

const ANSWER_MS = 15_000

/** Sends a signal to the container's first process, by its engine; says so if it cannot. */
export async function signalContainer(
  command: EngineCommand,
  own: OwnContainer,
  signal: Signal,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const container = await own.find()
  if (container === undefined)
    return tell(`${signal} does not reach the container: there is none yet`)
  const { code, reason } = await runCommand(
    killCommand(command, container.name, signal),
    env,
    ANSWER_MS,
  )
  if (code !== 0) tell(`${signal} does not reach the container: ${reason}`)
}
