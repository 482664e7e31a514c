import { setTimeout as delay } from 'node:timers/promises'
import type { EndTest, MessageReceiver, ReceiveOptions } from './message-receiver.js'
import { type Ancillary, type Credentials, MessageSocket } from './message-socket.js'
import { native } from './native.js'
import { passCredentials } from './pass-credentials.js'
import { withReachablePath } from './reachable-path.js'
import { encodeSocketAddress, formatSocketAddress, type SocketAddress } from './socket-address.js'
import { DOMAINS, SOL_SOCKET, type SocketFacts, TYPES } from './socket-facts.js'
import { check, EAGAIN, invalid } from './system-error.js'

/** `stream`: bytes without boundaries; `seqpacket`: messages, in order, each whole (unix(7)). */
export type ConnectionType = 'stream' | 'seqpacket'

export interface ConnectOptions {
  type: ConnectionType
  address: SocketAddress
  /** Gives up waiting for the listener; the promise is then rejected with the signal's reason. */
  signal?: AbortSignal
}

const SO_ERROR = 4
const SO_PEERCRED = 17
const SO_PEERPIDFD = 77
const SHUT_WR = 1
const RETRY_MS = 10
// What kernels before 6.5 answer to SO_PEERPIDFD.
const ENOPROTOOPT = -92
const EINPROGRESS = -115

const END_TESTS: Record<ConnectionType, EndTest> = {
  stream: ({ data }) => data.length === 0,
  // An empty packet is a message; the kernel attaches a sender to it, and none to the end. Over vsock, where there are no
  // senders, it looks like the end.
  seqpacket: ({ data, sender }) => data.length === 0 && sender === undefined,
}

/**
 * One end of a connection between unix sockets, which can carry descriptors and credentials and tells who is at the other
 * end: what `node:net` cannot; or between AF_VSOCK sockets, which have none of that, and which `node:net` does not know.
 * Comes from {@link connectSocket}, {@link openConnection}, `adoptConnection` or a {@link ConnectionListener}.
 */
export class Connection extends MessageSocket {
  readonly type: ConnectionType
  #isConnecting = false

  /** Takes the descriptor over. */
  constructor(fd: number, type: ConnectionType, family: 'unix' | 'vsock' = 'unix') {
    super(fd, family)
    this.type = type
  }

  /**
   * Who connected or listened, as it was then (SO_PEERCRED). `pid` is 0 for a process that our pid namespace does not
   * show. Another process may hold the socket by now.
   */
  get peer(): Credentials {
    const ids = new Int32Array(3)
    check(native().getsockopt(this.fd, SOL_SOCKET, SO_PEERCRED, ids), 'getsockopt')
    return { pid: ids[0]!, uid: ids[1]! >>> 0, gid: ids[2]! >>> 0 }
  }

  /**
   * Opens a pidfd of that process, which cannot come to mean another one (SO_PEERPIDFD). The caller closes it.
   *
   * @returns `undefined` where the kernel has none (before 6.5).
   * @throws SystemError, such as `ESRCH` or `EINVAL` if the process has been waited for (depends on the kernel).
   */
  peerPidfd(): number | undefined {
    const fd = new Int32Array(1)
    const result = native().getsockopt(this.fd, SOL_SOCKET, SO_PEERPIDFD, fd)
    if (result === ENOPROTOOPT) return undefined
    check(result, 'getsockopt')
    return fd[0]!
  }

  /**
   * Connects without waiting, or looks how far that is.
   *
   * @returns `false` if it is not connected yet: call again with the same address. A unix listener has no room in its
   *   queue then, and another machine has not answered.
   * @throws SystemError, such as `ECONNREFUSED`, or `ECONNRESET` from vsock: nobody listens there. Close it then.
   */
  tryConnect(address: SocketAddress): boolean {
    const subject = formatSocketAddress(address)
    if (!this.#isConnecting) {
      const result = withReachablePath(address, 'connect', (reachable) =>
        native().connect(this.fd, encodeSocketAddress(reachable)),
      )
      if (result === EAGAIN) return false
      if (result !== EINPROGRESS) return check(result, 'connect', subject) === 0
      this.#isConnecting = true
    }
    const error = new Int32Array(1)
    check(native().getsockopt(this.fd, SOL_SOCKET, SO_ERROR, error), 'getsockopt', subject)
    check(-error[0]!, 'connect', subject)
    return native().getpeername(this.fd, new Uint8Array(128)) >= 0
  }

  /**
   * Connects, however long it takes. The socket stays open and the caller's where this fails.
   *
   * @throws What `tryConnect` throws, or the signal's reason.
   */
  async connect(address: SocketAddress, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    while (!this.tryConnect(address)) {
      if (this.#isConnecting) await this.#becomeWritable(signal)
      // No event tells that a unix listener's queue has room.
      else await delay(RETRY_MS, undefined, { signal }).catch(() => signal!.throwIfAborted())
    }
  }

  /**
   * Sends without waiting: a whole packet, or as many bytes of a stream as there is room for. Descriptors go with the
   * first byte.
   *
   * @returns The bytes sent; `undefined` if there is no room: nothing was sent, try again when `onceWritable` calls.
   * @throws SystemError, such as `EPIPE` (the other end is closed), `EMSGSIZE`, `ETOOMANYREFS`; TypeError for descriptors
   *   without a byte on a stream: the kernel would lose them.
   */
  trySend(data: Uint8Array, options: Ancillary = {}): number | undefined {
    if (this.type === 'stream' && data.length === 0 && options.fds?.length) {
      throw invalid('a stream carries descriptors with at least one byte of data')
    }
    const result = this.send(data, undefined, options)
    return result === EAGAIN ? undefined : result
  }

  /** Says to the other end that no more will come; receiving goes on (shutdown(2), SHUT_WR). */
  endSending(): void {
    check(native().shutdown(this.fd, SHUT_WR), 'shutdown')
  }

  /** Starts to deliver what arrives, and then the end, once in the connection's life. */
  receive(options: ReceiveOptions): MessageReceiver {
    return this.startReceiving(options, END_TESTS[this.type])
  }

  async #becomeWritable(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.onceWritable(undefined)
        reject(signal!.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.onceWritable(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
    })
  }
}

/** What {@link Connection}s a socket is for, or none. */
export function connectionKind({
  domain,
  type,
}: SocketFacts): { family: 'unix' | 'vsock'; type: ConnectionType } | undefined {
  if (domain !== 'unix' && domain !== 'vsock') return undefined
  return type === 'stream' || type === 'seqpacket' ? { family: domain, type } : undefined
}

/**
 * Opens a socket for {@link Connection.connect}: for those who have something to do with it before that.
 *
 * @throws SystemError, such as `EAFNOSUPPORT` for vsock on a kernel without it.
 */
export function openConnection(family: 'unix' | 'vsock', type: ConnectionType): Connection {
  const fd = check(native().socket(DOMAINS[family], TYPES[type], 0, 1), 'socket', family)
  const connection = new Connection(fd, type, family)
  try {
    // It also gives our end an abstract name.
    if (family === 'unix') passCredentials(fd)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/**
 * Connects to a listening unix or vsock socket. Where the queue of a unix one is full, this waits until there is room.
 *
 * @throws SystemError, such as `ENOENT`, `ECONNREFUSED`, `EACCES`, or `EPROTOTYPE` for a unix listener of another type.
 */
export async function connectSocket(options: ConnectOptions): Promise<Connection> {
  const { address, signal, type } = options
  if (address.family !== 'unix' && address.family !== 'vsock') {
    throw new TypeError(`cannot connect to family ${address.family}: use node:net`)
  }
  signal?.throwIfAborted()
  const connection = openConnection(address.family, type)
  try {
    await connection.connect(address, signal)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}
