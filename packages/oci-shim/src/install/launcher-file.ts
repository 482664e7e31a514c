import { realpathSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isLauncher, LAUNCHER_MARK } from '../engines/launcher-mark.js'
import { BridgeError } from '../run/bridge-error.js'
import { findProgram, resolveProgram } from '../run/program-file.js'
import { launcherScript } from '../wrapper/launcher-script.js'
import { type FileChange, readTextFile } from './file-change.js'

/**
 * The launcher of a low-level runtime, in a directory of its own. It has the runtime's file name, by which podman knows what a runtime can do.
 *
 * @throws BridgeError if something that it is to start is not there, or something else is in its place.
 */
export function launcherFile(lowLevel: string, directory: string): FileChange {
  const grep = findProgram('grep', process.env)
  if (grep === undefined) throw notFound('grep', 'install it')
  if (isLauncher(lowLevel))
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `${lowLevel} is a launcher of sdbridge itself: give the runtime that it is to become by --low-level`,
    )
  const script = fileURLToPath(new URL('../../bin/sdbridge.js', import.meta.url))
  const file = join(directory, basename(lowLevel))
  const before = readTextFile(file)
  if (before !== undefined && !before.startsWith(LAUNCHER_MARK))
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `${file} is there already, and no launcher of sdbridge: give another --directory`,
    )
  const after = launcherScript({
    lowLevel: resolveProgram(lowLevel, {}),
    node: resolveProgram(process.execPath, {}),
    sdbridge: realpathSync(script),
    grep,
  })
  return { file, before, after, isProgram: true }
}

/** The first of these runtimes that is there. @throws BridgeError if none is. */
export function findLowLevel(names: readonly string[]): string {
  for (const name of names) {
    const found = findProgram(name, process.env)
    if (found !== undefined) return found
  }
  throw notFound(names.join(' and '), 'install one, or give its path by --low-level')
}

/** What a launcher starts, as root, that somebody else may change: lines for the operator. */
export function strangersAmong(launcher: FileChange): string[] {
  const paths = new Set(launcher.after?.match(/(?<=^|[\s'])\/[^\s']+(?=$|[\s'])/gm))
  return [...paths].flatMap((path) => {
    const stats = statSync(path, { throwIfNoEntry: false })
    const owners = [0, process.geteuid!()]
    if (stats === undefined || (owners.includes(stats.uid) && (stats.mode & 0o022) === 0)) return []
    return [
      `${path} can be changed by others than root (user ${stats.uid}, mode ${(stats.mode & 0o7777).toString(8)}), and is started as root: install it as root`,
    ]
  })
}

function notFound(what: string, remedy: string): BridgeError {
  return new BridgeError('ERR_BRIDGE_NOT_FOUND', `${what} cannot be found: ${remedy}`)
}
