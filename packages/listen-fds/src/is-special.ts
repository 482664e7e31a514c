import type { PathLike } from 'node:fs'
import { fdStats } from './fd-stats.js'
import { refuseNegativeFd } from './libsystemd-error.js'
import { isSameFile, statsOfPath } from './stats-of-path.js'

/**
 * Whether a descriptor is a character device or a regular file, and (if there is a `path`) the one with this path. A device
 * is the same at another path.
 *
 * - Unit file: `ListenSpecial=` in the .socket unit, `OpenFile=` in the .service unit.
 *
 * A POSIX message queue is a regular file, too, on Linux. Works without the addon. See sd_is_special(3).
 *
 * @throws The system's error: `EBADF` if the descriptor is not open; what stat(2) of the path says, such as `EACCES`. That
 *   nothing has the path (`ENOENT`, `ENOTDIR`) is no error, the answer is then false.
 */
export function isSpecial(fd: number, path?: PathLike): boolean {
  refuseNegativeFd(fd, 'sd_is_special')
  const stats = fdStats(fd)
  if (!stats.isFile() && !stats.isCharacterDevice()) return false
  if (path === undefined) return true
  const wanted = statsOfPath(path)
  if (wanted === undefined) return false
  if (stats.isFile()) return wanted.isFile() && isSameFile(stats, wanted)
  return wanted.isCharacterDevice() && wanted.rdev === stats.rdev
}
