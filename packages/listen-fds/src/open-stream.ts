import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { adoptConnection } from '@sdbridge/syscalls'
import { ConnectionStream } from './connection-stream.js'
import { DeviceStream } from './device-stream.js'
import { ListenFdsError } from './errors.js'
import { fdAccess } from './fd-access.js'
import type { FdKind } from './fd-kind.js'

export interface OpenStreamOptions {
  /**
   * Leaves the writing side open when the reading side has ended, until `end()` is called. Default false, as in node:net.
   */
  allowHalfOpen?: boolean
}

type Open = (fd: number, options: OpenStreamOptions) => Duplex

// Libuv drives these itself. Node's documentation has both directions off unless they are asked for.
const openSocket: Open = (fd, options) =>
  new Socket({ ...options, fd, readable: true, writable: true })
const openFifo: Open = (fd, options) => new Socket({ ...options, fd, ...fdAccess(fd) })
const openConnection: Open = (fd, options) => {
  const connection = adoptConnection(fd)
  return new ConnectionStream(connection, options)
}
const openDevice: Open = (fd, options) => new DeviceStream(fd, options)

const OPEN: Partial<Record<FdKind, Open>> = {
  connection: openSocket,
  fifo: openFifo,
  special: openDevice,
  'vsock-connection': openConnection,
}

/**
 * Makes a stream of an inherited descriptor, which closes it: with both ends at an end, with an error, or by `destroy()`. Errors of reading
 * and writing are `'error'` events: listen for them at once.
 *
 * - `connection` (`Accept=yes`): a `net.Socket`, over TCP or unix. If the other end has gone already, what it sent is read, then the end;
 *   or `'error'` tells that it was reset.
 * - `vsock-connection` (`Accept=yes`): a {@link ConnectionStream}.
 * - `fifo` (`ListenFIFO=`): a `net.Socket`. The service manager opens it for reading and writing, so it never ends, however many writers come and go: it keeps
 *   the process alive until `destroy()` or `unref()`; `end()` closes nothing; what is written to it, one reads oneself. Writes of
 *   several writers are not mixed up to 4096 bytes each (pipe(7), PIPE_BUF), but one `'data'` can hold several. One that was opened
 *   for reading only ends with its last writer.
 * - `special` (`ListenSpecial=`, `OpenFile=`): a {@link DeviceStream}.
 *
 * All but files that are always ready are made non-blocking. That is a flag (O_NONBLOCK) of the open file and not of the descriptor: other processes that
 * hold it see the change, such as the service manager, which sets what `NonBlocking=` says at each start of the service.
 *
 * @param fd Taken over. Where this throws, it stays the caller's.
 * @throws ListenFdsError `ERR_LISTEN_FDS_WRONG_KIND` for other kinds; SystemError.
 */
export function openStream(fd: number, kind: FdKind, options: OpenStreamOptions = {}): Duplex {
  const open = OPEN[kind]
  if (open !== undefined) return open(fd, { allowHalfOpen: options.allowHalfOpen ?? false })
  const expected = Object.keys(OPEN) as FdKind[]
  const message = `descriptor ${fd}: expected ${expected.join(' or ')}, found ${kind}, which is no stream`
  throw new ListenFdsError('ERR_LISTEN_FDS_WRONG_KIND', message, { fd, expected, found: kind })
}
