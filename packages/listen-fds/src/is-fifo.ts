import type { PathLike } from 'node:fs'
import { fdStats } from './fd-stats.js'
import { refuseNegativeFd } from './libsystemd-error.js'
import { isSameFile, statsOfPath } from './stats-of-path.js'

/**
 * Whether a descriptor is a FIFO or a pipe, and (if there is a `path`) the one with this path.
 *
 * - Unit file: `ListenFIFO=` in the .socket unit.
 *
 * Works without the addon. See sd_is_fifo(3).
 *
 * @throws The system's error: `EBADF` if the descriptor is not open; what stat(2) of the path says, such as `EACCES`. That
 *   nothing has the path (`ENOENT`, `ENOTDIR`) is no error, the answer is then false.
 */
export function isFifo(fd: number, path?: PathLike): boolean {
  refuseNegativeFd(fd, 'sd_is_fifo')
  const stats = fdStats(fd)
  if (!stats.isFIFO()) return false
  if (path === undefined) return true
  const wanted = statsOfPath(path)
  return wanted !== undefined && isSameFile(stats, wanted)
}
