import { endianness } from 'node:os'
import { native } from './native.js'
import { check } from './system-error.js'

const littleEndian = endianness() === 'LE'

/**
 * The address that a socket is bound to as the kernel writes it, for whoever compares bytes: `describeSocket` decodes it.
 *
 * @returns `bytes`: the whole `sockaddr`, beginning with the number of its family. See getsockname(2).
 * @throws SystemError `EBADF`, `ENOTSOCK`; `EOPNOTSUPP` for a socket of a family without addresses, such as AF_XDP.
 */
export function socketName(fd: number): { family: number; bytes: Uint8Array } {
  const buffer = new Uint8Array(128)
  const length = check(native().getsockname(fd, buffer), 'getsockname', `fd ${fd}`)
  return {
    family: new DataView(buffer.buffer).getUint16(0, littleEndian),
    bytes: buffer.subarray(0, length),
  }
}
