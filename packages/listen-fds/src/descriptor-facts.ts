import { formatSocketAddress, type SocketAddress } from '@sdbridge/syscalls'
import { AF_NETLINK, type FdKind, kindOfFile, kindOfSocket } from './fd-kind.js'
import { fdStats } from './fd-stats.js'
import { socketFacts } from './socket-facts.js'

/** The address family of a socket; a number where there is no name for it. */
export type FdFamily = 'unix' | 'inet' | 'inet6' | 'vsock' | 'netlink' | number

/** What this package finds out about a descriptor. */
export interface DescriptorFacts {
  kind: FdKind
  /** `undefined` for what is no socket. */
  family: FdFamily | undefined
  /** Whether listen(2) was called on it. */
  listening: boolean
  /** Where a socket is bound, as text; `undefined` where there is nothing to write. */
  address: string | undefined
}

/** Asks the kernel about an open descriptor. Everything else in this package only knows the answer. */
export function describeDescriptor(fd: number): DescriptorFacts {
  const stats = fdStats(fd)
  const socket = stats.isSocket() ? socketFacts(fd) : undefined
  if (socket === undefined) {
    return { kind: kindOfFile(fd, stats), family: undefined, listening: false, address: undefined }
  }
  return {
    kind: kindOfSocket(socket),
    family: socket.domain === AF_NETLINK ? 'netlink' : socket.domain,
    listening: socket.listening,
    address: isNamed(socket.localAddress) ? formatSocketAddress(socket.localAddress) : undefined,
  }
}

function isNamed(address: SocketAddress): boolean {
  if ('bytes' in address) return false
  return address.family !== 'unix' || 'path' in address || 'abstract' in address
}
