import { chmodSync } from 'node:fs'
import {
  closeFd,
  closeForeignFds,
  type ReceivedMessage,
  DatagramSocket,
  type MessageReceiver,
  describeSocket,
  ownSocketFile,
  removeStaleSocketFile,
  type SocketAddress,
  type SystemError,
} from '@sdbridge/syscalls'
import createDebug from 'debug'
import { formatNotifyAddress, parseNotifyAddress } from '../address.js'
import { NotifyError } from '../errors.js'
import { type ParsedMessage, parseMessage } from '../parse-message.js'
import { Notification } from './notification.js'
import type { Rejection, RejectionReason } from './rejection.js'

export interface ReceiverOptions {
  /**
   * Where to listen, written as in `$NOTIFY_SOCKET`: a path or `@name`. Default: a free abstract name, which
   * every process of the same network namespace can reach; give a path in a private directory if that matters.
   */
  address?: string
  /** Permissions of the socket file; writing is what senders need. Default `0o600`: this user alone. */
  mode?: number
  /** Ask for a pidfd of each sender (Linux 6.5); it costs a descriptor a message. Default false. */
  pidfd?: boolean
  /**
   * Called with each accepted message, in the order of arrival. Descriptors that it does not take are
   * closed when it returns. What it throws becomes an `'uncaughtException'`.
   */
  onNotification: (notification: Notification) => void
  /** Hears what was thrown away and why. */
  onRejected?: (rejection: Rejection) => void
  /** Hears that the socket failed, after which nothing is received. */
  onError?: (error: SystemError) => void
}

const debug = createDebug('sdbridge:notify:receiver')

/** Of 64 messages each, and one that finds nothing: 513 fit into the kernel's queue under systemd. */
const READ_NOW_BATCHES = 10

/**
 * Listens for notifications, with systemd's rules for what is a valid one. `BARRIER=1` is answered by itself,
 * when everything that came before it has been handed out.
 *
 * It tells who sent a message and judges nobody: `NotifyAccess=` is the caller's to enforce.
 *
 * @example
 * <!-- output: { ready: true }
 *      exit: 0 -->
 * ```js
 * import { spawn } from 'node:child_process'
 * import { NotifyReceiver } from '@sdbridge/notify/receiver'
 *
 * const receiver = new NotifyReceiver({
 *   onNotification: ({ assignments, sender }) => {
 *     console.log(assignments)
 *     if (sender.pid === service.pid && assignments.ready) receiver.close()
 *   },
 * })
 * const program = "import { ready } from '@sdbridge/notify'; await ready()"
 * const service = spawn(process.execPath, ['--input-type=module', '--eval', program], {
 *   env: { ...process.env, NOTIFY_SOCKET: receiver.address },
 *   stdio: 'inherit',
 * })
 * ```
 */
export class NotifyReceiver {
  /** What services need as `$NOTIFY_SOCKET`. */
  readonly address: string
  readonly #options: ReceiverOptions
  readonly #socket: DatagramSocket
  readonly #receiver: MessageReceiver
  /** Taken from the kernel and not handed out yet. */
  readonly #arrived: ReceivedMessage[] = []
  #paused = false
  #removeFile = (): void => {}

  /**
   * @throws NotifyError `ERR_NOTIFY_INVALID_ADDRESS`; SystemError, such as `EADDRINUSE` or `EACCES`.
   */
  constructor(options: ReceiverOptions) {
    this.#options = options
    const wanted = bindAddressOf(options.address)
    const path = 'path' in wanted ? wanted.path : undefined
    if (path !== undefined) removeStaleSocketFile(path)

    this.#socket = new DatagramSocket('unix')
    try {
      // Before the socket has an address: what is sent before SO_PASSPIDFD is on carries no pidfd.
      this.#receiver = this.#socket.receive({
        ...(options.pidfd !== undefined && { pidfd: options.pidfd }),
        onMessages: (batch) => {
          this.#arrived.push(...batch)
          this.#deliver()
        },
        onError: (error) => this.#fail(error),
      })
      this.#socket.bind(wanted)
      if (path !== undefined) {
        this.#removeFile = ownSocketFile(path)
        // Until now the umask decided, and no usual one lets others write.
        chmodSync(path, options.mode ?? 0o600)
      }
      this.address = options.address ?? abstractAddressOf(this.#socket)
    } catch (error) {
      this.#socket.close()
      this.#removeFile()
      throw error
    }
  }

  /** Hands out nothing more, and leaves what arrives in the kernel's queue, where senders wait, until {@link resume}. */
  pause(): void {
    this.#paused = true
    this.#receiver.pause()
  }

  resume(): void {
    this.#paused = false
    this.#receiver.resume()
    queueMicrotask(() => this.#deliver())
  }

  /** Hands out, before it returns, what has arrived already, up to a full queue of the kernel's. */
  readNow(): void {
    for (let batches = 0; batches < READ_NOW_BATCHES; batches++) {
      if (this.#receiver.readBatch() === 0) return
    }
  }

  /** Lets the process end although this receiver is open. */
  unref(): this {
    this.#socket.unref()
    return this
  }

  /** Closes the socket and removes its file; nothing is handed out any more. Closing twice is harmless. */
  close(): void {
    if (this.#socket.fd === -1) return
    this.#socket.close()
    this.#removeFile()
    for (const datagram of this.#arrived.splice(0)) release(datagram)
  }

  #deliver(): void {
    try {
      while (!this.#paused) {
        const next = this.#arrived.shift()
        if (next === undefined) return
        this.#handleOne(next)
      }
    } finally {
      // A handler that throws must lose neither the messages behind it nor their descriptors.
      if (this.#arrived.length > 0 && !this.#paused) queueMicrotask(() => this.#deliver())
    }
  }

  #handleOne(datagram: ReceivedMessage): void {
    const { sender } = datagram
    const message = parseMessage(datagram.data)
    const reason = rejectionOf(datagram, message)
    if (reason !== undefined || sender === undefined || 'rejected' in message) {
      this.#reject(datagram, reason ?? 'no-sender')
      return
    }
    if (message.assignments.barrier) {
      release(datagram)
      return
    }
    const { data, fds, pidfd } = datagram
    if (debug.enabled) debug('from pid %d: %s', sender.pid, data.toString().replaceAll('\n', ' '))
    const notification = new Notification(message, sender, fds, pidfd)
    try {
      this.#options.onNotification(notification)
    } finally {
      notification.dispose()
    }
  }

  #reject(datagram: ReceivedMessage, reason: RejectionReason): void {
    release(datagram)
    const { data, sender } = datagram
    debug('thrown away, %s, from pid %s: %j', reason, sender?.pid ?? 'unknown', data.toString())
    this.#options.onRejected?.({ reason, data, ...(sender !== undefined && { sender }) })
  }

  #fail(error: SystemError): void {
    debug('the socket failed: %s', error.message)
    this.#options.onError?.(error)
  }
}

function rejectionOf(
  datagram: ReceivedMessage,
  message: ParsedMessage,
): RejectionReason | undefined {
  if (datagram.truncated) return 'payload-truncated'
  if (datagram.controlTruncated) return 'control-truncated'
  if (datagram.sender === undefined || datagram.sender.pid <= 0) return 'no-sender'
  if ('rejected' in message) return message.rejected
  if (!message.assignments.barrier) return undefined
  return message.lines.length === 1 && datagram.fds.length === 1 ? undefined : 'barrier-not-alone'
}

function release({ fds, pidfd }: ReceivedMessage): void {
  closeForeignFds(fds)
  if (pidfd !== undefined) closeFd(pidfd)
}

function bindAddressOf(value: string | undefined): SocketAddress {
  if (value === undefined) return { family: 'unix' }
  const address = parseNotifyAddress(value)
  if (address.kind === 'unix-path') return { family: 'unix', path: address.path }
  if (address.kind === 'unix-abstract') {
    return { family: 'unix', abstract: Buffer.from(address.name) }
  }
  throw new NotifyError(
    'ERR_NOTIFY_INVALID_ADDRESS',
    `cannot listen on '${value}': a receiver needs a path or '@name'`,
    { address: value },
  )
}

function abstractAddressOf(socket: DatagramSocket): string {
  const { localAddress } = describeSocket(socket.fd)!
  const name = 'abstract' in localAddress ? Buffer.from(localAddress.abstract).toString() : ''
  return formatNotifyAddress({ kind: 'unix-abstract', name })
}
