import { type BigIntStats, readFileSync, statfsSync } from 'node:fs'
import type { SocketFacts } from '@sdbridge/syscalls'

/**
 * What a descriptor is, and thereby what can drive it:
 *
 * - `tcp-listener`, `unix-listener`: a listening stream socket, for `server.listen()`.
 * - `connection`: a stream socket that does not listen, over TCP or unix, for `new net.Socket()`. The peer
 *   of an `Accept=yes` unit may have gone already, so it need not be connected any more.
 * - `udp`: for `dgram.bind()`.
 * - `unix-datagram`, `seqpacket-listener`, `seqpacket-connection`, `vsock-listener`, `vsock-connection`,
 *   `vsock-datagram`, `netlink`: sockets that Node itself cannot drive.
 * - `fifo`: a named or unnamed pipe, for `node:fs` or `new net.Socket()`.
 * - `special`: a character device or a regular file (the answer of sd_is_special(3)), for `node:fs`.
 * - `message-queue`: a POSIX message queue.
 * - `unknown`: anything else. A later version may find a word for it; the other words stay.
 */
export type FdKind =
  | 'tcp-listener'
  | 'unix-listener'
  | 'connection'
  | 'udp'
  | 'unix-datagram'
  | 'seqpacket-listener'
  | 'seqpacket-connection'
  | 'vsock-listener'
  | 'vsock-connection'
  | 'vsock-datagram'
  | 'netlink'
  | 'fifo'
  | 'special'
  | 'message-queue'
  | 'unknown'

/** AF_NETLINK, which the syscalls package leaves a number. */
export const AF_NETLINK = 16

const IPPROTO_TCP = 6
const IPPROTO_UDP = 17
const IPPROTO_MPTCP = 262
const MQUEUE_MAGIC = 0x19_80_02_02
const O_PATH = 0o10_000_000

/** Finds the kind of a socket. */
export function kindOfSocket(facts: SocketFacts): FdKind {
  if (facts.domain === AF_NETLINK) return 'netlink'
  if (facts.domain === 'unix') return kindOfUnix(facts)
  if (facts.domain === 'vsock') return kindOfVsock(facts)
  if (facts.domain === 'inet' || facts.domain === 'inet6') return kindOfInet(facts)
  return 'unknown'
}

/** Finds the kind of a descriptor that is no socket. */
export function kindOfFile(fd: number, stats: BigIntStats): FdKind {
  if (stats.isFIFO()) return 'fifo'
  if (stats.isCharacterDevice()) return 'special'
  if (stats.isFile()) return isMessageQueue(fd) ? 'message-queue' : 'special'
  return 'unknown'
}

/**
 * Whether a regular file is a message queue. On Linux that is one of a file system of its own; opened with O_PATH it is
 * nothing but a place in there.
 */
export function isMessageQueue(fd: number): boolean {
  try {
    return statfsSync(`/proc/self/fd/${fd}`).type === MQUEUE_MAGIC && !isPathOnly(fd)
  } catch {
    return false
  }
}

function kindOfUnix({ type, listening }: SocketFacts): FdKind {
  if (type === 'dgram') return 'unix-datagram'
  if (type === 'seqpacket') return listening ? 'seqpacket-listener' : 'seqpacket-connection'
  if (type === 'stream') return listening ? 'unix-listener' : 'connection'
  return 'unknown'
}

function kindOfVsock({ type, listening }: SocketFacts): FdKind {
  if (type === 'dgram') return 'vsock-datagram'
  if (type === 'stream') return listening ? 'vsock-listener' : 'vsock-connection'
  return 'unknown'
}

// SocketProtocol=mptcp makes a socket that is used like TCP's; sctp and udplite make others.
function kindOfInet({ type, protocol, listening }: SocketFacts): FdKind {
  if (protocol === IPPROTO_UDP) return 'udp'
  if (type !== 'stream') return 'unknown'
  if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_MPTCP) return 'unknown'
  return listening ? 'tcp-listener' : 'connection'
}

function isPathOnly(fd: number): boolean {
  const flags =
    /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? ''
  return (Number.parseInt(flags, 8) & O_PATH) !== 0
}
