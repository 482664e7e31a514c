import { native } from './native.js'
import { withReachablePath } from './reachable-path.js'
import { encodeSocketAddress, formatSocketAddress, type SocketAddress } from './socket-address.js'
import { DOMAINS, SOL_SOCKET, TYPES } from './socket-facts.js'
import { check } from './system-error.js'

export interface BindOptions {
  /** A stream or seqpacket socket is also made to listen. */
  type: 'stream' | 'dgram' | 'seqpacket'
  address: SocketAddress
  /** Connections that may wait for accept(2). Default 4096, like systemd's `Backlog=`. */
  backlog?: number
}

const SO_REUSEADDR = 2

/**
 * Opens a bound (and, unless a datagram one, listening) socket, as a service manager does for a service that
 * it will start. The descriptor is close-on-exec, non-blocking, and the caller's.
 *
 * @throws SystemError, such as `EADDRINUSE` or `EACCES`.
 */
export function bindSocket(options: BindOptions): number {
  const { address, type } = options
  const domain = DOMAINS[address.family as keyof typeof DOMAINS] as number | undefined
  if (domain === undefined) throw new TypeError(`cannot bind to family ${address.family}`)
  const subject = formatSocketAddress(address)
  const fd = check(native().socket(domain, TYPES[type], 0, 0), 'socket', subject)
  try {
    // A service that is restarted must get its port back although old connections linger.
    if (domain === DOMAINS.inet || domain === DOMAINS.inet6) {
      check(native().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1), 'setsockopt', subject)
    }
    withReachablePath(address, 'bind', (reachable) =>
      check(native().bind(fd, encodeSocketAddress(reachable)), 'bind', subject),
    )
    if (type !== 'dgram') check(native().listen(fd, options.backlog ?? 4096), 'listen', subject)
    return fd
  } catch (error) {
    native().close(fd)
    throw error
  }
}
