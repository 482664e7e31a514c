import { Duplex } from 'node:stream'
import {
  closeForeignFds,
  type Connection,
  describeSocket,
  formatSocketAddress,
  type MessageReceiver,
  type ReceivedMessage,
} from '@sdbridge/syscalls'
import { canceledWrite } from './canceled-write.js'
import { IdleTimer } from './idle-timer.js'

export interface ConnectionStreamOptions {
  /**
   * Leaves our direction open when the other end has ended its own, until `end()` is called. Default false, as in
   * node:net.
   */
  allowHalfOpen?: boolean
}

type Callback = (error?: Error | null) => void

const MOST_BYTES_AT_ONCE = 65_536

/**
 * A connection as a stream: what `net.Socket` is for TCP and unix sockets, for those that libuv does not drive, such as
 * AF_VSOCK. The servers of node:net, http, https, http2 and tls take it as a connection: `server.emit('connection', stream)`.
 *
 * - It receives from the start, as far as its buffer goes, and so notices the end of a connection that nobody reads.
 * - Errors of the connection, such as `ECONNRESET` and `EPIPE`, are `'error'` events, and close it.
 * - Descriptors that the other end sends along over a unix socket are closed.
 * - `ref` and `unref` say whether it keeps the process alive while it waits.
 */
export class ConnectionStream extends Duplex {
  /** What the stream reads and writes; it closes it. `peer` and `peerPidfd()` tell who is at the other end of a unix one. */
  readonly connection: Connection
  readonly #receiver: MessageReceiver
  readonly #idle = new IdleTimer(() => this.emit('timeout'))
  #unfinishedWrite: Callback | undefined
  #peerAddress: string | undefined

  /**
   * @param connection Taken over, of type `stream`, and not received from yet. Where this throws, it stays the caller's.
   * @throws TypeError for another type; SystemError if there is nothing left to wait with (`EMFILE`, say).
   */
  constructor(connection: Connection, options: ConnectionStreamOptions = {}) {
    if (connection.type !== 'stream') {
      const message = `expected a connection of type stream, found ${connection.type}: its packets would run together`
      throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
    }
    super({ allowHalfOpen: options.allowHalfOpen ?? false })
    this.connection = connection
    this.#receiver = connection.receive({
      onMessages: (batch) => this.#deliver(batch),
      onEnd: () => this.#deliverEnd(),
      onError: (error) => this.destroy(error),
      maxBytes: MOST_BYTES_AT_ONCE,
    })
  }

  /**
   * The other end's address as text, as systemd writes it: `vsock:CID:PORT`, a path, `@abstract`, or `(unnamed)` for a unix socket
   * without one. `undefined` if it was not asked for while the connection was open.
   */
  get peerAddress(): string | undefined {
    if (this.#peerAddress === undefined && this.connection.fd !== -1) {
      const peer = describeSocket(this.connection.fd)?.peerAddress
      this.#peerAddress = peer && formatSocketAddress(peer)
    }
    return this.#peerAddress
  }

  /**
   * Emits `'timeout'` when nothing was sent or received for `timeoutMs` milliseconds, again after each next activity; 0 ends
   * that. The connection stays open: whoever listens decides.
   *
   * @param onTimeout Called at the next `'timeout'`; with 0, a listener to remove.
   * @throws RangeError `ERR_OUT_OF_RANGE`
   */
  setTimeout(timeoutMs: number, onTimeout?: () => void): this {
    if (this.destroyed) return this
    this.#idle.start(timeoutMs)
    if (onTimeout === undefined) return this
    return timeoutMs === 0 ? this.off('timeout', onTimeout) : this.once('timeout', onTimeout)
  }

  /** Does nothing: nothing is delayed here. For those who expect a `net.Socket`. */
  setNoDelay(): this {
    return this
  }

  /** Does nothing: there are no such probes here. For those who expect a `net.Socket`. */
  setKeepAlive(): this {
    return this
  }

  /** Ends, and closes once everything is sent. node:http calls it after the last response. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Lets the process end although this connection is open. */
  unref(): this {
    this.connection.unref()
    return this
  }

  /** Takes back `unref`. */
  ref(): this {
    this.connection.ref()
    return this
  }

  override _read(): void {
    try {
      this.#receiver.resume()
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  override _write(
    data: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#send(data, callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    try {
      this.connection.endSending()
    } catch (error) {
      // The other end has gone: there is nobody to tell.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTCONN') {
        callback(error as Error)
        return
      }
    }
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#idle.stop()
    this.connection.close()
    callback(error)
    this.#unfinishedWrite?.(error ?? canceledWrite())
  }

  #send(data: Buffer, callback: Callback): void {
    this.#unfinishedWrite = undefined
    try {
      const sent = data.length === 0 ? 0 : (this.connection.trySend(data) ?? 0)
      if (sent > 0) this.#idle.refresh()
      if (sent < data.length) {
        this.connection.onceWritable(() => this.#send(data.subarray(sent), callback))
        this.#unfinishedWrite = callback
        return
      }
    } catch (error) {
      callback(error as Error)
      return
    }
    callback()
  }

  #deliver(batch: ReceivedMessage[]): void {
    closeForeignFds(batch.flatMap(({ fds }) => fds))
    this.#idle.refresh()
    // In one piece: a listener that throws must not cost the bytes after it.
    const data = batch.length === 1 ? batch[0]!.data : Buffer.concat(batch.map((each) => each.data))
    if (!this.push(data)) this.#receiver.pause()
  }

  #deliverEnd(): void {
    this.push(null)
    // Where nobody reads, this makes the end known.
    this.read(0)
  }
}
