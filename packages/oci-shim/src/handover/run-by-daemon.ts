import { exitCodeOf } from '../run/exit-code-of.js'
import { tell } from '../run/operator-log.js'
import { prepareRun } from '../run/prepare-run.js'
import { printCommand } from '../run/print-command.js'
import type { RunOptions } from '../run/run-options.js'
import { becomeClient } from './become-client.js'
import { checkLaunch } from './check-launch.js'
import { checkUnit, daemonPlaces } from './daemon-places.js'

/**
 * `sdbridge run --daemon`: has the daemon bridge the container of this unit, and becomes the engine's client that starts it. Nothing of ours stays in the unit.
 *
 * @returns The exit code, where there is no becoming.
 */
export async function runByDaemon(options: RunOptions): Promise<number> {
  try {
    const prepared = await prepareRun(options, (identity) => {
      if (!options.print) checkUnit(identity)
      return daemonPlaces(identity)
    })
    if (prepared.plan !== undefined) checkLaunch(prepared.plan.command, prepared.plan.launch)
    if (options.print) {
      printCommand(prepared)
      return 0
    }
    return await becomeClient(prepared)
  } catch (error) {
    tell((error as Error).message)
    return exitCodeOf(error)
  }
}
