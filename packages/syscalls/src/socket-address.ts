import { isIPv4, isIPv6 } from 'node:net'
import { endianness } from 'node:os'
import { isUint8Array } from 'node:util/types'
import { invalid } from './system-error.js'

/** The longest path or abstract name that fits into a `sockaddr_un` beside its NUL, in bytes. */
export const UNIX_PATH_MAX = 107

/** A socket address, decoded. A unix socket that was never bound has neither `path` nor `abstract`. */
export type SocketAddress =
  | { family: 'unix'; path: string }
  | { family: 'unix'; abstract: Uint8Array }
  | { family: 'unix' }
  | { family: 'inet'; address: string; port: number }
  | { family: 'inet6'; address: string; port: number; flowInfo: number; scopeId: number }
  | { family: 'vsock'; cid: number; port: number }
  | { family: number; bytes: Uint8Array }

export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const AF_VSOCK = 40

const littleEndian = endianness() === 'LE'

/** Writes an address as the kernel's `sockaddr`, with its exact length: an abstract name is not padded. */
export function encodeSocketAddress(address: SocketAddress): Uint8Array {
  if (address.family === 'unix') return encodeUnix(address)
  if (address.family === 'inet' && 'port' in address) return encodeInet(address)
  if (address.family === 'inet6') return encodeInet6(address)
  if (address.family === 'vsock') return encodeVsock(address)
  if ('bytes' in address) return address.bytes
  throw invalid(`not a socket address: ${JSON.stringify(address)}`)
}

/** Reads the `sockaddr` that the kernel wrote. */
export function decodeSocketAddress(bytes: Uint8Array): SocketAddress {
  if (bytes.length < 2) return { family: 'unix' }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const family = view.getUint16(0, littleEndian)
  if (family === AF_UNIX) return decodeUnix(bytes)
  if (family === AF_INET && bytes.length >= 16) {
    return { family: 'inet', address: bytes.subarray(4, 8).join('.'), port: view.getUint16(2) }
  }
  if (family === AF_INET6 && bytes.length >= 28) {
    return {
      family: 'inet6',
      address: formatInet6(view),
      port: view.getUint16(2),
      flowInfo: view.getUint32(4),
      scopeId: view.getUint32(24, littleEndian),
    }
  }
  if (family === AF_VSOCK && bytes.length >= 16) {
    return {
      family: 'vsock',
      cid: view.getUint32(8, littleEndian),
      port: view.getUint32(4, littleEndian),
    }
  }
  return { family, bytes: bytes.slice() }
}

/** Writes an address for a person: `/run/a.sock`, `@name`, `127.0.0.1:80`, `[::1]:80`, `vsock:2:9999`. */
export function formatSocketAddress(address: SocketAddress): string {
  if ('path' in address) return address.path
  if ('abstract' in address) return `@${Buffer.from(address.abstract).toString()}`
  if ('cid' in address) return `vsock:${address.cid}:${address.port}`
  if ('address' in address) {
    return address.family === 'inet'
      ? `${address.address}:${address.port}`
      : `[${address.address}]:${address.port}`
  }
  return address.family === 'unix' ? '(unnamed)' : `(family ${address.family})`
}

function encodeUnix(address: { path: string } | { abstract: Uint8Array } | object): Uint8Array {
  if ('path' in address) {
    const path = Buffer.from(address.path)
    if (path.length === 0 || path.includes(0)) {
      throw invalid(
        `a socket path must be non-empty and hold no NUL: ${JSON.stringify(address.path)}`,
      )
    }
    if (path.length > UNIX_PATH_MAX) {
      throw invalid(`a socket path of ${path.length} bytes is longer than ${UNIX_PATH_MAX}`)
    }
    return withFamily(AF_UNIX, 2 + path.length + 1, (bytes) => bytes.set(path, 2))
  }
  if ('abstract' in address) {
    const name = address.abstract
    // A string would be taken for a list of numbers.
    if (!isUint8Array(name)) throw invalid('an abstract name must be a Uint8Array')
    if (name.length > UNIX_PATH_MAX) {
      throw invalid(`an abstract name of ${name.length} bytes is longer than ${UNIX_PATH_MAX}`)
    }
    return withFamily(AF_UNIX, 3 + name.length, (bytes) => bytes.set(name, 3))
  }
  // Binding to this makes the kernel choose a free abstract name.
  return withFamily(AF_UNIX, 2, () => {})
}

function decodeUnix(bytes: Uint8Array): SocketAddress {
  if (bytes.length === 2) return { family: 'unix' }
  if (bytes[2] === 0) return { family: 'unix', abstract: bytes.slice(3) }
  const end = bytes.indexOf(0, 2)
  const path = Buffer.from(bytes.subarray(2, end === -1 ? bytes.length : end))
  return { family: 'unix', path: path.toString() }
}

function encodeInet(address: { address: string; port: number }): Uint8Array {
  if (!isIPv4(address.address)) throw invalid(`not an IPv4 address: ${address.address}`)
  return withFamily(AF_INET, 16, (bytes, view) => {
    view.setUint16(2, checkPort(address.port))
    bytes.set(address.address.split('.').map(Number), 4)
  })
}

function encodeInet6(address: {
  address: string
  port: number
  flowInfo?: number
  scopeId?: number
}): Uint8Array {
  const groups = parseInet6(address.address)
  return withFamily(AF_INET6, 28, (_bytes, view) => {
    view.setUint16(2, checkPort(address.port))
    view.setUint32(4, checkUint32(address.flowInfo ?? 0, 'flowInfo'))
    for (const [index, group] of groups.entries()) view.setUint16(8 + 2 * index, group)
    view.setUint32(24, checkUint32(address.scopeId ?? 0, 'scopeId'), littleEndian)
  })
}

function encodeVsock(address: { cid: number; port: number }): Uint8Array {
  return withFamily(AF_VSOCK, 16, (_bytes, view) => {
    view.setUint32(4, checkUint32(address.port, 'port'), littleEndian)
    view.setUint32(8, checkUint32(address.cid, 'cid'), littleEndian)
  })
}

function withFamily(
  family: number,
  length: number,
  fill: (bytes: Uint8Array, view: DataView) => void,
): Uint8Array {
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, family, littleEndian)
  fill(bytes, view)
  return bytes
}

// The URL parser writes every spelling of an address (zone and dotted tail apart) in the one short form.
function parseInet6(text: string): number[] {
  if (!isIPv6(text) || text.includes('%')) throw invalid(`not an IPv6 address: ${text}`)
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16))
}

function formatInet6(view: DataView): string {
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(8 + 2 * index))
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (mapped) return `::ffff:${[20, 21, 22, 23].map((at) => view.getUint8(at)).join('.')}`
  const text = groups.map((group) => group.toString(16)).join(':')
  return new URL(`http://[${text}]`).hostname.slice(1, -1)
}

function checkPort(port: number): number {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw invalid(`not a port: ${port}`)
  return port
}

function checkUint32(value: number, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw invalid(`${name} must be an integer from 0 to 4294967295, not ${value}`)
  }
  return value
}
