import type { Socket as DgramSocket } from 'node:dgram'
import type { Server, Socket } from 'node:net'
import { checkOpen } from './check-open.js'
import { describe, NotifyError } from './errors.js'

/**
 * What has a descriptor: its number, an object with a number as `fd` (a FileHandle, a file stream, a socket of
 * `@sdbridge/syscalls`), a server or a socket of `node:net`, `node:http`, `node:tls` or `node:http2`, or a socket of `node:dgram`.
 */
export type DescriptorSource = number | { readonly fd: number } | Server | Socket | DgramSocket

/**
 * The number of a descriptor, which stays its owner's.
 *
 * @throws NotifyError `ERR_NOTIFY_NO_DESCRIPTOR` if there is none: the server does not listen yet, or is closed, or
 *   listens in another process (a worker of `node:cluster`). The system's error `EBADF` for the number of a closed one.
 */
export function descriptorOf(source: DescriptorSource): number {
  const fd: unknown = isObject(source) ? (fdOf(source) ?? handleOf(source)?.fd) : source
  if (Number.isInteger(fd) && (fd as number) >= 0) {
    checkOpen(fd as number)
    return fd as number
  }
  throw new NotifyError(
    'ERR_NOTIFY_NO_DESCRIPTOR',
    `${describe(source)} has no open descriptor here; expected a number from 0 on, or an open server or socket ` +
      '(in a worker of node:cluster the primary process has it)',
    { value: source },
  )
}

// Node does not publish the descriptors of its servers and sockets, and has kept them in these places since its beginnings.
interface Handle {
  readonly fd?: number
}

function isObject(source: unknown): source is object {
  return typeof source === 'object' && source !== null
}

function fdOf(source: object): unknown {
  return 'fd' in source ? source.fd : undefined
}

function handleOf(source: object): Handle | undefined {
  // The property of a datagram socket is deprecated, and says so on the terminal.
  const state = Object.getOwnPropertySymbols(source).find(
    ({ description }) => description === 'state symbol',
  )
  if (state !== undefined) return (source as Record<symbol, { handle?: Handle }>)[state]?.handle
  return (Reflect.get(source, '_handle') as Handle | null | undefined) ?? undefined
}
