import { socketName } from '@sdbridge/syscalls'
import { familyNumber } from './address-family.js'
import type { FdFamily } from './descriptor-facts.js'
import { libsystemdError, refuseNegativeFd } from './libsystemd-error.js'
import { isSocketOf, type SocketQuestion } from './socket-question.js'

export interface IsSocketOptions extends SocketQuestion {
  /** The address family that it must be of. Default, and 0: any. */
  family?: FdFamily
}

/**
 * Whether a descriptor is a socket, and (as far as there are options) of this family and type, listening or not.
 *
 * - Unit file: any `Listen…=` of the .socket unit that opens a socket.
 *
 * Works without the addon where no option asks for more than a socket. See sd_is_socket(3).
 *
 * @throws The system's error: `EBADF` if the descriptor is not open, `EINVAL` for a negative family or type, and, where a
 *   family is asked for, what getsockname(2) says.
 */
export function isSocket(fd: number, options: IsSocketOptions = {}): boolean {
  refuseNegativeFd(fd, 'sd_is_socket')
  const family = familyNumber(options.family)
  if (family < 0) throw libsystemdError('EINVAL', 'sd_is_socket', `family ${family}`)
  if (!isSocketOf(fd, options, 'sd_is_socket')) return false
  return family === 0 || socketName(fd).family === family
}
