import { closeSync, constants, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { type SocketAddress, UNIX_PATH_MAX } from './socket-address.js'
import { systemError } from './system-error.js'

// Linux's O_PATH, which node:fs does not name: a descriptor that only points at a place.
const O_PATH = 0o10_000_000
const ENAMETOOLONG = -36

/**
 * Calls `use` with an address that reaches the same socket file and fits into a `sockaddr_un`. A path of
 * up to 107 bytes is that address; a longer one is reached through a descriptor in /proc/self/fd.
 *
 * @param purpose `'connect'`: the socket exists. `'bind'`: its directory does; the file name alone must
 *   then be short enough, about 85 bytes. The kernel reports such a socket's address as it was bound:
 *   below /proc/self/fd.
 * @throws SystemError `ENAMETOOLONG` if the file name is longer than that.
 */
export function withReachablePath<T>(
  address: SocketAddress,
  purpose: 'connect' | 'bind',
  use: (address: SocketAddress) => T,
): T {
  if (!('path' in address) || Buffer.byteLength(address.path) <= UNIX_PATH_MAX) return use(address)

  const { path } = address
  const place = purpose === 'connect' ? path : dirname(path)
  const rest = purpose === 'connect' ? '' : `/${basename(path)}`
  const fd = openSync(place, O_PATH | (purpose === 'bind' ? constants.O_DIRECTORY : 0))
  try {
    const reachable = `/proc/self/fd/${fd}${rest}`
    if (Buffer.byteLength(reachable) > UNIX_PATH_MAX) throw systemError(ENAMETOOLONG, purpose, path)
    return use({ family: 'unix', path: reachable })
  } finally {
    closeSync(fd)
  }
}
