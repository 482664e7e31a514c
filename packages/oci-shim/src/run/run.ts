import { EngineError } from '../engines/engine-error.js'
import { BridgeError } from './bridge-error.js'
import { tell } from './operator-log.js'
import { prepareRun } from './prepare-run.js'
import { printCommand } from './print-command.js'
import type { RunOptions } from './run-options.js'
import { serveContainer } from './serve-container.js'
import { SignalInbox } from './signal-inbox.js'

/**
 * `sdbridge run`: starts a container, or any other command, as the main process of a `Type=notify` unit, passes on what it notifies, and
 * ends when and as it ends.
 *
 * @returns The exit code; where the container was ended by a signal, this process is, too.
 */
export async function run(options: RunOptions): Promise<number> {
  try {
    if (options.print) {
      printCommand(await prepareRun(options))
      return 0
    }
    const inbox = new SignalInbox()
    return await serveContainer(await prepareRun(options), inbox)
  } catch (error) {
    tell((error as Error).message)
    return exitCodeOf(error)
  }
}

/** What the command line documents: a mistake in it is 2, all else that the bridge itself cannot do is 125. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof BridgeError) return error.exitCode
  const isMistake = error instanceof EngineError && error.code !== 'ERR_ENGINE_UNREACHABLE'
  return isMistake ? 2 : 125
}
