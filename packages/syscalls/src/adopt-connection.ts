import { adoptSocket, expectSocket } from './adopt-socket.js'
import { Connection, connectionKind } from './connection.js'
import { native } from './native.js'
import { check } from './system-error.js'

/**
 * Makes a {@link Connection} of a connected unix or vsock socket that was inherited: what a service manager accepted, say, or one end
 * of socketpair(2). The other end may have closed already: then what it sent is received, and the end.
 *
 * Whoever sends from then on is named in what is received over unix. Who sent before is not known (then pid 0), unless SO_PASSCRED was on.
 *
 * @param fd Taken over, close-on-exec and non-blocking: `close` closes it, and so does the end of this thread.
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for anything but a unix or vsock stream or seqpacket socket, and for one that listens;
 *   SystemError, such as `ENOTCONN` if it was never connected. It then stays the caller's.
 */
export function adoptConnection(fd: number): Connection {
  const expected = 'connected unix or vsock stream or seqpacket socket'
  const { family, type } = expectSocket(fd, expected, (facts) =>
    facts.listening ? undefined : connectionKind(facts),
  )
  check(native().getpeername(fd, new Uint8Array(128)), 'getpeername', `fd ${fd}`)
  adoptSocket(fd, family)
  return new Connection(fd, type, family)
}
