import { native } from './native.js'
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  AF_VSOCK,
  decodeSocketAddress,
  type SocketAddress,
} from './socket-address.js'
import { check } from './system-error.js'

/** What the kernel says of a socket: the facts that sd_is_socket(3) and its family compare. */
export interface SocketFacts {
  /** The address family; a number where this package has no name for it. */
  domain: 'unix' | 'inet' | 'inet6' | 'vsock' | number
  /** The socket type; a number where this package has no name for it. */
  type: 'stream' | 'dgram' | 'seqpacket' | 'raw' | number
  /** The protocol's number: 6 is TCP, 17 UDP, 132 SCTP, 136 UDP-Lite, 262 MPTCP; 0 for unix sockets. */
  protocol: number
  /** Whether listen(2) was called on it. */
  listening: boolean
  localAddress: SocketAddress
  /** The other end; absent on a socket that is not connected. */
  peerAddress?: SocketAddress
}

export const SOL_SOCKET = 1
export const SO_PASSCRED = 16
const SO_TYPE = 3
const SO_ACCEPTCONN = 30
const SO_PROTOCOL = 38
const SO_DOMAIN = 39
const SO_COOKIE = 57

/** The address families that this package has names for. */
export const DOMAINS: Readonly<Record<'unix' | 'inet' | 'inet6' | 'vsock', number>> = {
  unix: AF_UNIX,
  inet: AF_INET,
  inet6: AF_INET6,
  vsock: AF_VSOCK,
}
/** The socket types that it has names for. */
export const TYPES = { stream: 1, dgram: 2, raw: 3, seqpacket: 5 } as const
const ENOTSOCK = -88

/**
 * Describes a socket, or returns `undefined` for a descriptor of another kind.
 *
 * @throws SystemError `EBADF` if the descriptor is not open.
 */
export function describeSocket(fd: number): SocketFacts | undefined {
  const domain = option(fd, SO_DOMAIN)
  if (domain === undefined) return undefined
  const type = option(fd, SO_TYPE)!
  const peerAddress = addressOf(fd, 'getpeername')
  return {
    domain: nameIn(DOMAINS, domain),
    type: nameIn(TYPES, type),
    protocol: option(fd, SO_PROTOCOL)!,
    listening: option(fd, SO_ACCEPTCONN) === 1,
    localAddress: addressOf(fd, 'getsockname') ?? { family: domain, bytes: new Uint8Array() },
    ...(peerAddress !== undefined && { peerAddress }),
  }
}

/**
 * The number that the kernel gave to this socket and to no other until the next boot (SO_COOKIE): the same for every descriptor of
 * it, in every process. A connection that was accepted has its own. Before Linux 5.10, sockets of other network namespaces have the
 * same ones.
 *
 * @throws SystemError `ENOTSOCK` for a descriptor of another kind, `EBADF` if it is not open.
 */
export function socketCookie(fd: number): bigint {
  const cookie = new BigUint64Array(1)
  const halves = new Int32Array(cookie.buffer)
  check(native().getsockopt(fd, SOL_SOCKET, SO_COOKIE, halves), 'getsockopt', `fd ${fd}`)
  return cookie[0]!
}

function option(fd: number, name: number): number | undefined {
  const value = new Int32Array(1)
  const result = native().getsockopt(fd, SOL_SOCKET, name, value)
  if (result === ENOTSOCK) return undefined
  check(result, 'getsockopt', `fd ${fd}`)
  return value[0]
}

function addressOf(fd: number, call: 'getsockname' | 'getpeername'): SocketAddress | undefined {
  const bytes = new Uint8Array(128)
  const length = native()[call](fd, bytes)
  return length < 0 ? undefined : decodeSocketAddress(bytes.subarray(0, length))
}

function nameIn<K extends string>(table: Readonly<Record<K, number>>, number: number): K | number {
  const names = Object.keys(table) as K[]
  return names.find((name) => table[name] === number) ?? number
}
