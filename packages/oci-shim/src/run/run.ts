import { exitCodeOf } from './exit-code-of.js'
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
