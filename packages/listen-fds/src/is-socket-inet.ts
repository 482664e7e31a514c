import { SOCKET_DOMAINS, socketName } from '@sdbridge/syscalls'
import { familyNumber } from './address-family.js'
import { argumentError } from './argument-error.js'
import { libsystemdError, refuseNegativeFd } from './libsystemd-error.js'
import { isSocketOf, type SocketQuestion } from './socket-question.js'

export interface IsSocketInetOptions extends SocketQuestion {
  /** The address family that it must be of; AF_INET or AF_INET6 as numbers. Default, and 0: one of the two. */
  family?: 'inet' | 'inet6' | number
  /** The port that it must be bound to. Default, and 0: any. */
  port?: number
}

/**
 * Whether a descriptor is an IPv4 or IPv6 socket, and (as far as there are options) of this family and type, bound to this
 * port, listening or not.
 *
 * - Unit file: `ListenStream=PORT` or `ListenDatagram=PORT` in the .socket unit. These open an IPv6 socket, which serves IPv4
 *   too: so leave `family` out, or write the address into the unit file.
 *
 * See sd_is_socket_inet(3).
 *
 * @throws The system's error: `EBADF` if the descriptor is not open, `EINVAL` for another family or a negative type.
 */
export function isSocketInet(fd: number, options: IsSocketInetOptions = {}): boolean {
  refuseNegativeFd(fd, 'sd_is_socket_inet')
  const family = familyNumber(options.family)
  if (family !== 0 && !isInet(family)) {
    throw libsystemdError('EINVAL', 'sd_is_socket_inet', `family ${options.family}`)
  }
  const { port = 0 } = options
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw argumentError('port', 'an integer from 0 to 65535', port)
  }
  if (!isSocketOf(fd, options, 'sd_is_socket_inet')) return false

  const name = socketName(fd)
  if (!isInet(name.family) || (family !== 0 && family !== name.family)) return false
  return port === 0 || Buffer.from(name.bytes).readUInt16BE(2) === port
}

function isInet(family: number): boolean {
  return family === SOCKET_DOMAINS.inet || family === SOCKET_DOMAINS.inet6
}
