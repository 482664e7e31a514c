import { statSync } from 'node:fs'
import { isMessageQueue } from './fd-kind.js'
import { fdStats } from './fd-stats.js'
import { libsystemdError, refuseNegativeFd } from './libsystemd-error.js'
import { isSameFile } from './stats-of-path.js'

/**
 * Whether a descriptor is a POSIX message queue, and (if there is a `name`) the one of this name, such as `/jobs`.
 *
 * - Unit file: `ListenMessageQueue=` in the .socket unit.
 *
 * The name is looked for in /dev/mqueue, as libsystemd does. Works without the addon. See sd_is_mq(3), mq_overview(7).
 *
 * @throws The system's error: `EBADF` if the descriptor is not open; of a queue also `EINVAL` if the name does not begin with
 *   `/`, and `ENOENT` if there is none of that name.
 */
export function isMq(fd: number, name?: string): boolean {
  refuseNegativeFd(fd, 'sd_is_mq')
  const stats = fdStats(fd)
  if (!stats.isFile() || !isMessageQueue(fd)) return false
  if (name === undefined) return true
  if (!name.startsWith('/')) throw libsystemdError('EINVAL', 'sd_is_mq', name)
  return isSameFile(stats, statSync(`/dev/mqueue${name}`, { bigint: true }))
}
