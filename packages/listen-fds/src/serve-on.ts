import type { Server } from 'node:net'
import {
  type Connection,
  ConnectionListener,
  describeSocket,
  type SystemError,
} from '@sdbridge/syscalls'
import { ConnectionStream } from './connection-stream.js'
import { debug } from './diagnostics.js'

/** A server's listener that {@link serveOn} has opened. It keeps the process alive until closed or unref'd. */
export interface ServedListener {
  /** The descriptor's number, or -1 once closed. It stays this object's: do not close it. */
  readonly fd: number
  /**
   * Accepts no more connections, and lets a server that listens nowhere else end its idle ones. Those with something to do are left
   * alone. Closing twice is harmless.
   *
   * @returns A promise that is resolved when the last connection has closed.
   */
  close(): Promise<void>
  /** Lets the process end although connections may come. */
  unref(): this
  /** Takes back `unref`. */
  ref(): this
}

/** The listener tries again by itself: for want of descriptors or memory. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/**
 * Lets a server of node:net, http, https, http2 or tls serve an inherited listening socket that `server.listen()` does not take:
 * `ListenStream=vsock:CID:PORT`. The server emits `'listening'` and gets a {@link ConnectionStream} for each connection.
 *
 * - Unit file: a .socket unit with `ListenStream=vsock:CID:PORT`; `vsock::PORT` for any CID.
 * - Duty: stop it with `close()` of what this returns. `server.close()` stops it too; but since Node knows of no listener, its callback gets
 *   `ERR_SERVER_NOT_RUNNING`, and `'close'` comes although connections are open. `server.listening` is false, `server.address()` is null.
 * - Errors of accepting are `'error'` events of the server; but for want of descriptors or memory, connections wait.
 * - `server.maxConnections` counts the connections of this listener.
 *
 * See systemd.socket(5), vsock(7).
 *
 * @param fd Taken over. Where this throws, it stays the caller's.
 * @throws TypeError for anything but a listening stream socket of the families that a ConnectionListener takes; SystemError.
 *
 * @example
 * const [vsock] = listenFds()
 * const served = serveOn(vsock.expect('vsock-listener').fd, createServer(onRequest))
 * process.once('SIGTERM', () => served.close())
 */
export function serveOn(fd: number, server: Server): ServedListener {
  const served = new Served(fd, server)
  // As Node does; http has its timeouts for slow requests from this.
  process.nextTick(() => {
    if (served.fd !== -1 && !server.listening) server.emit('listening')
  })
  return served
}

class Served implements ServedListener {
  readonly #server: Server
  readonly #listener: ConnectionListener
  readonly #streams = new Set<ConnectionStream>()
  readonly #drained: Promise<void>
  #drain!: () => void

  constructor(fd: number, server: Server) {
    if (describeSocket(fd)?.type !== 'stream') {
      const message = `descriptor ${fd} is no stream socket, and servers serve only those`
      throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
    }
    this.#server = server
    this.#drained = new Promise((resolve) => (this.#drain = resolve))
    this.#listener = new ConnectionListener(fd, {
      onConnection: (connection) => this.#accept(connection),
      onError: (error) => this.#fail(error),
    })
    server.once('close', this.#stop)
  }

  get fd(): number {
    return this.#listener.fd
  }

  async close(): Promise<void> {
    if (this.fd !== -1) {
      this.#stop()
      // It has no listener of its own, so this only ends what is idle. The callback takes the error that says so.
      if (!this.#server.listening) this.#server.close(() => {})
    }
    await this.#drained
  }

  unref(): this {
    this.#listener.unref()
    return this
  }

  ref(): this {
    this.#listener.ref()
    return this
  }

  readonly #stop = (): void => {
    this.#server.off('close', this.#stop)
    this.#listener.close()
    this.#settle()
  }

  #accept(connection: Connection): void {
    const { allowHalfOpen, maxConnections } = this.#server as Server & { allowHalfOpen?: boolean }
    if (typeof maxConnections === 'number' && this.#streams.size >= maxConnections) {
      connection.close()
      this.#server.emit('drop', {})
      return
    }
    let stream: ConnectionStream
    try {
      stream = new ConnectionStream(connection, { allowHalfOpen: allowHalfOpen === true })
    } catch (error) {
      // For want of something to wait with: this connection is lost, others may not be.
      connection.close()
      debug('cannot serve a connection: %s', (error as SystemError).message)
      return
    }
    this.#streams.add(stream)
    stream.once('close', () => {
      this.#streams.delete(stream)
      this.#settle()
    })
    this.#server.emit('connection', stream)
  }

  #settle(): void {
    if (this.fd === -1 && this.#streams.size === 0) this.#drain()
  }

  #fail(error: SystemError): void {
    if (PASSING.has(error.code)) {
      debug('cannot accept now: %s', error.message)
      return
    }
    this.#stop()
    this.#server.emit('error', error)
  }
}
