import { DatagramSocket, type SocketAddress } from '@sdbridge/syscalls'
import createDebug from 'debug'
import { type NotifyAddress, parseNotifyAddress } from './address.js'
import { NotifyError } from './errors.js'
import { type Outgoing, SendQueue } from './send-queue.js'

const debug = createDebug('sdbridge:notify')

// libsystemd asks for as much; with less, our own buffer is full before the manager's queue is.
const SEND_BUFFER_BYTES = 8 * 1024 * 1024

/** The manager's socket was replaced since we connected: a new connection reaches the new one. */
const STALE = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTCONN'])

const channels = new Map<string, Channel>()

/**
 * The way to one service manager: one socket for all notifications of this thread, so that they arrive in
 * the order in which they were sent.
 *
 * @param value The value of `$NOTIFY_SOCKET`.
 * @throws NotifyError `ERR_NOTIFY_INVALID_ADDRESS`.
 */
export function channelTo(value: string): Channel {
  let channel = channels.get(value)
  if (channel === undefined) {
    channel = new Channel(value, socketAddressOf(parseNotifyAddress(value), value))
    channels.set(value, channel)
  }
  return channel
}

export class Channel {
  readonly #value: string
  readonly #address: SocketAddress
  readonly #queue: SendQueue
  #socket: DatagramSocket | undefined

  constructor(value: string, address: SocketAddress) {
    this.#value = value
    this.#address = address
    this.#queue = new SendQueue({
      trySend: (message) => this.#trySend(message),
      onceRoom: (callback) => this.#onceRoom(callback),
    })
  }

  /** @see SendQueue.send */
  send(message: Outgoing, signal?: AbortSignal): Promise<void> | undefined {
    return this.#queue.send(message, signal)
  }

  #trySend(message: Outgoing): boolean {
    try {
      const sent = this.#deliver(message)
      if (debug.enabled) {
        debug('%s %s: %s', sent ? 'sent to' : 'waits for', this.#value, preview(message))
      }
      return sent
    } catch (cause) {
      throw this.#failure(preview(message), cause)
    }
  }

  #onceRoom(callback: (() => void) | undefined): void {
    try {
      this.#socket?.onceWritable(callback)
    } catch (cause) {
      throw this.#failure('a message that has to wait', cause)
    }
  }

  #deliver(message: Outgoing): boolean {
    const fresh = this.#socket === undefined
    const socket = (this.#socket ??= this.#connect())
    try {
      return socket.trySend(message.data, message.fds.length > 0 ? { fds: message.fds } : undefined)
    } catch (error) {
      if (fresh || !STALE.has((error as NodeJS.ErrnoException).code ?? '')) throw error
      socket.close()
      this.#socket = undefined
      return this.#deliver(message)
    }
  }

  #connect(): DatagramSocket {
    const socket = new DatagramSocket(this.#address.family === 'vsock' ? 'vsock' : 'unix')
    try {
      socket.raiseSendBuffer(SEND_BUFFER_BYTES)
      socket.connect(this.#address)
      return socket
    } catch (error) {
      socket.close()
      throw error
    }
  }

  #failure(what: string, cause: unknown): NotifyError {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new NotifyError(
      'ERR_NOTIFY_SEND_FAILED',
      `NOTIFY_SOCKET is '${this.#value}', but ${what} could not be sent there: ${reason}`,
      { cause, address: this.#value },
    )
  }
}

function socketAddressOf(address: NotifyAddress, value: string): SocketAddress {
  if (address.kind === 'unix-path') return { family: 'unix', path: address.path }
  if (address.kind === 'unix-abstract') {
    return { family: 'unix', abstract: Buffer.from(address.name) }
  }
  if (address.type === 'auto' || address.type === 'dgram') {
    return { family: 'vsock', cid: address.cid, port: address.port }
  }
  throw new NotifyError(
    'ERR_NOTIFY_INVALID_ADDRESS',
    `NOTIFY_SOCKET is '${value}': of the vsock forms only vsock: and vsock-dgram: can be sent to so far`,
    { address: value },
  )
}

function preview(message: Outgoing): string {
  const text = Buffer.from(message.data).toString().replaceAll('\n', ' ')
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
