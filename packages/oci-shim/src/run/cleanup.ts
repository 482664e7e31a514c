import { join } from 'node:path'
import { exitCodeOf } from './exit-code-of.js'
import { readHostEnvironment } from './host-environment.js'
import { keepDescriptors } from './keep-descriptors.js'
import { removeLabelledContainers } from './labelled-containers.js'
import { removeNotedContainer } from './leftovers.js'
import { tell } from './operator-log.js'
import {
  baseDirectory,
  directoriesIn,
  fileNameOf,
  PrivateDirectory,
  SYSTEM_DIRECTORY,
} from './private-directory.js'
import type { CleanupOptions } from './run-options.js'
import { isByHand, unitIdentity } from './unit-identity.js'

/**
 * `sdbridge cleanup`, for `ExecStopPost=`: removes the container and the private directory that a bridge of this unit has left behind
 * because it was killed. It succeeds if there is nothing, and can be repeated.
 *
 * @returns The exit code.
 */
export async function cleanup(options: CleanupOptions = {}): Promise<number> {
  try {
    keepDescriptors()
    const host = readHostEnvironment()
    const { id, unit } = unitIdentity(options.unit)
    const base = baseDirectory(host.runtimeDirectory)
    if (unit === undefined && options.unit === undefined) {
      // Outside of units, each run has a directory of its own.
      const names = directoriesIn(base).filter((name) => isByHand(name))
      const directories = names.map((name) => new PrivateDirectory(join(base, name)))
      for (const directory of directories)
        if (!directory.isServed) await clean(directory, host.passedOn)
      return 0
    }
    const find = (): PrivateDirectory[] => directoriesOf(id, base)
    const checkIsFree = (): void => find().forEach((each) => each.checkIsFree())
    checkIsFree()
    const directories = find()
    const isNoted = directories.some((each) => each.isOurs())
    for (const directory of directories) await clean(directory, host.passedOn)
    if (!isNoted && mayHaveBeenKilled())
      await removeLabelledContainers(id, host.passedOn, checkIsFree)
    return 0
  } catch (error) {
    tell((error as Error).message)
    return exitCodeOf(error)
  }
}

// sdbridge run --daemon has its directory where all units of root's have theirs, whatever the unit says.
function directoriesOf(id: string, base: string): PrivateDirectory[] {
  const directory = new PrivateDirectory(join(base, fileNameOf(id)))
  const other = new PrivateDirectory(join(SYSTEM_DIRECTORY, fileNameOf(id)))
  return base !== SYSTEM_DIRECTORY && other.isOfClient ? [directory, other] : [directory]
}

async function clean(directory: PrivateDirectory, env: NodeJS.ProcessEnv): Promise<void> {
  await removeNotedContainer(directory, env)
  // Not what a start of the unit has put in its place by now.
  directory.checkIsFree()
  directory.remove()
}

// What systemd tells ExecStopPost= of the main process. One that has ended by itself has cleaned up.
function mayHaveBeenKilled({ EXIT_CODE } = process.env): boolean {
  return EXIT_CODE !== 'exited'
}
