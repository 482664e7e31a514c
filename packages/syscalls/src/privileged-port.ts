import { native } from './native.js'
import { encodeSocketAddress } from './socket-address.js'
import { check } from './system-error.js'

/** VMADDR_CID_ANY: whatever this machine's own is. */
const ANY_CID = 0xffff_ffff
const HIGHEST = 1023
const EADDRINUSE = -98
const EPERM = -1
const EACCES = -13

/**
 * Binds an AF_VSOCK socket to the highest free port below 1024. Only a process with CAP_NET_BIND_SERVICE can: by such a
 * port, another machine knows that the sender is privileged.
 *
 * @returns The port, or `undefined` if this process may not have one: the socket is as it was.
 * @throws SystemError, such as `EADDRINUSE` if none is free.
 */
export function bindPrivilegedPort(fd: number): number | undefined {
  let port = HIGHEST
  let result = bindTo(fd, port)
  while (result === EADDRINUSE && port > 1) result = bindTo(fd, --port)
  if (result === EPERM || result === EACCES) return undefined
  check(result, 'bind', 'vsock')
  return port
}

function bindTo(fd: number, port: number): number {
  return native().bind(fd, encodeSocketAddress({ family: 'vsock', cid: ANY_CID, port }))
}
