import { isIP, isIPv6 } from 'node:net'
import { encodeSocketAddress, SOCKET_DOMAINS, socketName } from '@sdbridge/syscalls'
import { argumentError } from './argument-error.js'
import { refuseNegativeFd } from './libsystemd-error.js'
import { isSocketOf, type SocketQuestion } from './socket-question.js'

/** Where a socket must be bound. What `server.address()` returns will do. */
export interface InetSocketAddress {
  /** An IPv4 or IPv6 address: `127.0.0.1`, `::1`. */
  address: string
  /** Default, and 0: any. */
  port?: number
  /** Of IPv6. Default, and 0: any. */
  flowInfo?: number
  /** The number of the interface that a link-local IPv6 address is of. Default, and 0: any. */
  scopeId?: number
}

export interface IsSocketSockaddrOptions extends SocketQuestion {
  /** The address that it must be bound to. */
  address: InetSocketAddress
}

/**
 * Whether a descriptor is an IPv4 or IPv6 socket that is bound to this address, and (as far as there are options) of this
 * type, listening or not. The family is that of the address: a socket of `[::]:80` serves 127.0.0.1 too and is not bound to it.
 *
 * - Unit file: `ListenStream=ADDRESS:PORT` or `ListenDatagram=ADDRESS:PORT` in the .socket unit.
 *
 * See sd_is_socket_sockaddr(3).
 *
 * @throws The system's error: `EBADF` if the descriptor is not open, `EINVAL` for a negative type.
 */
export function isSocketSockaddr(fd: number, options: IsSocketSockaddrOptions): boolean {
  refuseNegativeFd(fd, 'sd_is_socket_sockaddr')
  const wanted = encode(options.address)
  if (!isSocketOf(fd, options, 'sd_is_socket_sockaddr')) return false

  const { family, bytes } = socketName(fd)
  if (family !== wanted.family) return false
  const isSame = (from: number, to: number): boolean =>
    Buffer.compare(bytes.subarray(from, to), wanted.bytes.subarray(from, to)) === 0
  const isSameOrAny = (from: number, to: number): boolean =>
    wanted.bytes.subarray(from, to).every((byte) => byte === 0) || isSame(from, to)

  const isSamePort = isSameOrAny(2, 4)
  if (family === SOCKET_DOMAINS.inet) return isSamePort && isSame(4, 8)
  const [isSameFlow, isSameScope] = [isSameOrAny(4, 8), isSameOrAny(24, 28)]
  return isSamePort && isSameFlow && isSameScope && isSame(8, 24)
}

function encode(where: InetSocketAddress): { family: number; bytes: Uint8Array } {
  const { address, port = 0, flowInfo = 0, scopeId = 0 } = where
  if (isIP(address) === 0) throw argumentError('address', 'an IPv4 or IPv6 address', address)
  const family = isIPv6(address) ? 'inet6' : 'inet'
  const bytes = encodeSocketAddress({ family, address, port, flowInfo, scopeId })
  return { family: SOCKET_DOMAINS[family], bytes }
}
