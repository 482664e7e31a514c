import { type EngineCommand, isSwitchedOn } from '../engines/engine-command.js'
import { UNIT_LABEL } from '../engines/labels.js'
import type { Command, Launch } from '../engines/launch.js'
import { BridgeError } from './bridge-error.js'
import { type CommandOutcome, runCommand } from './command-outcome.js'
import { tell } from './operator-log.js'
import type { PrivateDirectory } from './private-directory.js'
import { readState } from './state-file.js'

const ANSWER_MS = 20_000

/**
 * Removes the container that a bridge of this unit has noted, and left behind when it was killed.
 *
 * @throws BridgeError if the engine cannot do that: the note stays, for the next attempt.
 */
export async function removeNotedContainer(
  directory: PrivateDirectory,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  if (!directory.isOurs()) return
  const container = readState(directory.path)?.container
  if (container !== undefined) await removeFound(container.name, container.remove, env)
}

/**
 * Removes what the engine has of this unit, by its label, under whatever name.
 *
 * @throws BridgeError where the name is taken by a container that is not this unit's, and where the engine does not answer.
 */
export async function removeLeftovers(
  command: EngineCommand,
  { container }: Launch,
  unit: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const { file, globals, verb, engine } = command
  // What is to be started has been there before.
  if (verb === 'start') return
  const isRuntime = engine === 'runc' || engine === 'crun'
  const inspect = isRuntime ? ['state', container.name] : ['container', 'inspect', container.name]
  const [listing, namesake] = await Promise.all([
    container.list === undefined ? undefined : runCommand(container.list, env, ANSWER_MS),
    runCommand({ file, args: [...globals, ...inspect] }, env, ANSWER_MS),
  ])
  if (listing !== undefined && listing.code !== 0) throw unanswered(command, listing)
  const isTaken = namesake.code === 0
  const isOurs = isTaken && unitOf(namesake.stdout) === unit
  if (isTaken && !isOurs && !isSwitchedOn(command, 'replace')) {
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `there is a container ${container.name} already, which does not belong to ${unit}: remove it, or give this one another name`,
    )
  }
  const ids = listing?.stdout.split('\n').filter((line) => line !== '') ?? []
  for (const id of ids)
    await removeFound(id, { file, args: [...globals, 'rm', '--force', id] }, env)
  if (isOurs && isRuntime) await removeFound(container.name, container.remove, env)
}

async function removeFound(name: string, command: Command, env: NodeJS.ProcessEnv): Promise<void> {
  tell(`removing the container ${name.slice(0, 64)}, which this unit has left behind`)
  await remove(name, command, env)
}

async function remove(name: string, command: Command, env: NodeJS.ProcessEnv): Promise<void> {
  const { code, reason } = await runCommand(command, env, ANSWER_MS)
  if (code === 0) return
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    `cannot remove the container ${name} that was left behind: ${reason}`,
  )
}

/** The unit that a container says it belongs to, in what its engine says of it. */
function unitOf(text: string): string | undefined {
  const parsed = JSON.parse(text) as Inspected | Inspected[]
  const facts = Array.isArray(parsed) ? parsed[0] : parsed
  return facts?.Config?.Labels?.[UNIT_LABEL] ?? facts?.annotations?.[UNIT_LABEL]
}

interface Inspected {
  Config?: { Labels?: Record<string, string> }
  annotations?: Record<string, string>
}

function unanswered({ file }: EngineCommand, { reason }: CommandOutcome): BridgeError {
  return new BridgeError(
    'ERR_BRIDGE_FAILED',
    `${file} does not answer: ${reason}; its service must run, and this user may talk to it`,
  )
}
