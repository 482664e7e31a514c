import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes the directory of a container's socket, which is mounted into the container: any user there may come in, and nobody on the host but root.
 *
 * @throws Error if it, or what it is in, is anybody else's.
 */
export function makeNotifyDirectory(directory: string): void {
  const base = dirname(directory)
  make(base, 0o700)
  make(directory, 0o755)
}

function make(path: string, mode: number): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    // The umask has no say in this.
    chmodSync(path, mode)
  }
  const stats = lstatSync(path)
  if (stats.isDirectory() && stats.uid === process.geteuid!() && (stats.mode & 0o022) === 0) return
  throw new Error(`${path} must be a directory of root's that nobody else can write to: remove it`)
}
