import { SOCKET_DOMAINS, socketName } from '@sdbridge/syscalls'
import { argumentError } from './argument-error.js'
import { refuseNegativeFd } from './libsystemd-error.js'
import { isSocketOf, type SocketQuestion } from './socket-question.js'

export interface IsSocketUnixOptions extends SocketQuestion {
  /**
   * The path that it must be bound to, to the byte and as it was when it was bound; `''`: it must have no name at all, as one
   * of a socketpair(2). Default: any.
   */
  path?: string | Uint8Array
  /** The abstract name that it must be bound to, without the NUL (written `@`) in front. Default: any. */
  abstract?: string | Uint8Array
}

/**
 * Whether a descriptor is a unix socket, and (as far as there are options) of this type and name, listening or not.
 *
 * - Unit file: `ListenStream=`, `ListenDatagram=` or `ListenSequentialPacket=` with `/PATH` or `@NAME` in the .socket unit.
 *
 * See sd_is_socket_unix(3).
 *
 * @throws The system's error: `EBADF` if the descriptor is not open, `EINVAL` for a negative type.
 */
export function isSocketUnix(fd: number, options: IsSocketUnixOptions = {}): boolean {
  refuseNegativeFd(fd, 'sd_is_socket_unix')
  const wanted = nameOf(options)
  if (!isSocketOf(fd, options, 'sd_is_socket_unix')) return false

  const { family, bytes } = socketName(fd)
  if (family !== SOCKET_DOMAINS.unix) return false
  return wanted === undefined || wanted.equals(bytes.subarray(SUN_PATH))
}

/** Where in a sockaddr_un the name begins. */
const SUN_PATH = 2

// The kernel ends a path with a NUL, and begins an abstract name with one.
function nameOf({ path, abstract }: IsSocketUnixOptions): Buffer | undefined {
  if (abstract !== undefined) {
    if (path !== undefined) throw argumentError('path', 'absent beside abstract', path)
    return Buffer.concat([Buffer.of(0), bytesOf('abstract', abstract)])
  }
  if (path === undefined) return undefined
  const bytes = bytesOf('path', path)
  if (bytes.length === 0) return bytes
  if (bytes.includes(0))
    throw argumentError('path', 'without NUL (abstract names go into abstract)', path)
  return Buffer.concat([bytes, Buffer.of(0)])
}

function bytesOf(name: string, value: unknown): Buffer {
  if (typeof value === 'string' || value instanceof Uint8Array) return Buffer.from(value as string)
  throw argumentError(name, 'a string or Uint8Array', value)
}
