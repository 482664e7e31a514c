import { join } from 'node:path'
import { runCommand } from './engine-command.js'
import { readHostEnvironment } from './host-environment.js'
import { removeNotedContainer } from './leftovers.js'
import { tell } from './operator-log.js'
import { baseDirectory, directoriesIn, fileNameOf, PrivateDirectory } from './private-directory.js'
import { exitCodeOf } from './run.js'
import type { CleanupOptions } from './run-options.js'
import { BY_HAND, unitIdentity } from './unit-identity.js'

/**
 * `sdbridge cleanup`, for `ExecStopPost=`: removes the container and the private directory that a bridge of this unit has left behind
 * because it was killed. It succeeds if there is nothing, and can be repeated.
 *
 * @returns The exit code.
 */
export async function cleanup(options: CleanupOptions = {}): Promise<number> {
  try {
    const host = readHostEnvironment()
    const { id, unit } = unitIdentity(options.unit)
    const base = baseDirectory(host.runtimeDirectory)
    const isByHand = unit === undefined && options.unit === undefined
    // Outside of units, each run has a directory of its own.
    const names = isByHand
      ? directoriesIn(base).filter((name) => name.startsWith(BY_HAND))
      : [fileNameOf(id)]
    for (const name of names)
      await clean(new PrivateDirectory(join(base, name)), isByHand, host.passedOn)
    return 0
  } catch (error) {
    tell((error as Error).message)
    return exitCodeOf(error)
  }
}

async function clean(
  directory: PrivateDirectory,
  isByHand: boolean,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  if (directory.isServed) {
    if (isByHand) return
    directory.checkIsFree()
  }
  await removeNotedContainer(directory, env)
  directory.remove()
}
void runCommand
