import { adoptSocket, expectSocket } from './adopt-socket.js'
import { Connection, connectionKind } from './connection.js'
import { FdWatcher } from './fd-watcher.js'
import { native } from './native.js'
import { SO_PASSCRED, SOL_SOCKET } from './socket-facts.js'
import { EAGAIN, type SystemError, systemError } from './system-error.js'

export interface ConnectionListenerOptions {
  /** Called with each connection; whoever gets it closes it. */
  onConnection: (connection: Connection) => void
  /**
   * Called when accept(2) fails. For want of descriptors or memory, connections wait and it is tried again a moment later;
   * after any other error nothing is accepted any more.
   */
  onError: (error: SystemError) => void
}

const MOST_IN_A_TURN = 64
const RETRY_MS = 100
/** The one that connected has gone already. */
const ECONNABORTED = -103
/** EMFILE, ENFILE, ENOBUFS, ENOMEM */
const EXHAUSTED = new Set([-24, -23, -105, -12])

/**
 * Accepts connections on a listening unix or vsock socket, such as one of `bindSocket` or one that was inherited. For
 * other families there is `node:net`. Keeps the process alive until closed or unref'd.
 */
export class ConnectionListener {
  readonly #kind: NonNullable<ReturnType<typeof connectionKind>>
  readonly #options: ConnectionListenerOptions
  readonly #watcher: FdWatcher
  #fd: number
  #retry: NodeJS.Timeout | undefined

  /**
   * @param fd Taken over, close-on-exec and non-blocking: `close` closes it, and so does the end of this thread.
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for anything but a listening unix or vsock stream or seqpacket socket; SystemError. It
   *   then stays the caller's.
   */
  constructor(fd: number, options: ConnectionListenerOptions) {
    const expected = 'listening unix or vsock stream or seqpacket socket'
    this.#kind = expectSocket(fd, expected, (facts) =>
      facts.listening ? connectionKind(facts) : undefined,
    )
    this.#fd = fd
    this.#options = options
    this.#watcher = new FdWatcher(fd, () => this.#accept())
    try {
      this.#watcher.arm('readable')
      // Connections inherit that senders are named (Linux 6.16), so that whoever sends before it is accepted is.
      adoptSocket(fd, this.#kind.family)
    } catch (error) {
      this.#watcher.close()
      throw error
    }
  }

  /** The descriptor's number, or -1 once closed. */
  get fd(): number {
    return this.#fd
  }

  /** Ends the accepting. Connections that were accepted stay; those that wait are refused if nobody else holds the socket. */
  close(): void {
    if (this.#fd === -1) return
    clearTimeout(this.#retry)
    this.#watcher.close()
    const fd = this.#fd
    this.#fd = -1
    native().closeSocket(fd)
  }

  /** Lets the process end although connections may come. */
  unref(): this {
    this.#watcher.unref()
    return this
  }

  /** Takes back `unref`. */
  ref(): this {
    this.#watcher.ref()
    return this
  }

  #accept(): void {
    let error = 0
    try {
      for (let count = 0; count < MOST_IN_A_TURN && error === 0 && this.#fd !== -1; count++) {
        const result = native().accept(this.#fd, 1)
        if (result >= 0) this.#deliver(result)
        else if (result !== ECONNABORTED) error = result
      }
    } finally {
      // Also when a callback throws, which is the program's error: accepting goes on in the next turn.
      if (error === 0 || error === EAGAIN) this.#arm()
      else if (EXHAUSTED.has(error)) this.#retry = setTimeout(() => this.#arm(), RETRY_MS).unref()
    }
    if (error !== 0 && error !== EAGAIN) this.#options.onError(systemError(error, 'accept4'))
  }

  #deliver(fd: number): void {
    const { family, type } = this.#kind
    // As early as can be. Where it fails, `receive` will say so.
    if (family === 'unix') native().setsockopt(fd, SOL_SOCKET, SO_PASSCRED, 1)
    this.#options.onConnection(new Connection(fd, type, family))
  }

  #arm(): void {
    if (this.#fd !== -1) this.#watcher.arm('readable')
  }
}
