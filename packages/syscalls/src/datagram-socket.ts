import { MessageReceiver, type ReceiveOptions } from './message-receiver.js'
import { FdWatcher, type Readiness } from './fd-watcher.js'
import { fdArray } from './fd.js'
import { native } from './native.js'
import { withReachablePath } from './reachable-path.js'
import { encodeSocketAddress, formatSocketAddress, type SocketAddress } from './socket-address.js'
import { DOMAINS, SO_PASSCRED, SOL_SOCKET, TYPES } from './socket-facts.js'
import { check, EAGAIN, invalid } from './system-error.js'

/** The sender that a message claims to come from; the kernel checks the claim (unix(7)). */
export interface Credentials {
  pid: number
  uid: number
  gid: number
}

export interface SendOptions {
  /** Where to; needed on a socket that is not connected. */
  address?: SocketAddress
  /** Descriptors that travel with the message, at most 253. Borrowed: they stay open and the caller's. */
  fds?: readonly number[]
  /** Claims another sender. Root only: `EPERM` otherwise, and `ESRCH` if there is no such process. */
  credentials?: Credentials
}

const SO_SNDBUF = 7
const SO_SNDBUFFORCE = 32
const EBADF = -9

/**
 * An AF_UNIX or AF_VSOCK datagram socket, close-on-exec and non-blocking. It keeps the process alive only
 * while it receives or waits for room. An environment that ends (a Worker, say) closes its sockets.
 */
export class DatagramSocket {
  #fd: number
  #receiver: MessageReceiver | undefined
  #onWritable: (() => void) | undefined
  #peer: SocketAddress | undefined
  #watcher: FdWatcher | undefined
  #keepsAlive = true

  /** @throws SystemError, such as `ENODEV` or `EAFNOSUPPORT` for vsock on a kernel without it. */
  constructor(family: 'unix' | 'vsock') {
    this.#fd = check(native().socket(DOMAINS[family], TYPES.dgram, 0, 1), 'socket', family)
  }

  /** The descriptor's number, or -1 once closed. It stays this object's: do not close it. */
  get fd(): number {
    return this.#fd
  }

  /** Gives the socket an address; `{ family: 'unix' }` lets the kernel choose a free abstract name. */
  bind(address: SocketAddress): void {
    // The kernel notes a sender when the message is sent, so this must be on before there is an address.
    native().setsockopt(this.#fd, SOL_SOCKET, SO_PASSCRED, 1)
    withReachablePath(address, 'bind', (reachable) =>
      this.#check(native().bind(this.#fd, encodeSocketAddress(reachable)), 'bind', address),
    )
  }

  /** Fixes where messages go, so that each needs no look-up of its own. */
  connect(address: SocketAddress): void {
    withReachablePath(address, 'connect', (reachable) =>
      this.#check(native().connect(this.#fd, encodeSocketAddress(reachable)), 'connect', address),
    )
    this.#peer = address
  }

  /** Asks for a larger send buffer, in bytes. The system grants what it allows; refusal is no error. */
  raiseSendBuffer(bytes: number): void {
    const current = new Int32Array(1)
    this.#check(native().getsockopt(this.#fd, SOL_SOCKET, SO_SNDBUF, current), 'getsockopt')
    // The kernel doubles what it is asked for, to have room for its own records, and reports that.
    if (current[0]! >= 2 * bytes) return
    native().setsockopt(this.#fd, SOL_SOCKET, SO_SNDBUF, bytes)
    native().setsockopt(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes)
  }

  /**
   * Sends one message without waiting.
   *
   * @returns `false` if the receiver's queue (or our send buffer) is full: nothing was sent, try again.
   * @throws SystemError, such as `ECONNREFUSED` (nobody has this address), `EMSGSIZE`, `EPERM`.
   */
  trySend(data: Uint8Array, options: SendOptions = {}): boolean {
    const { address } = options
    if (address === undefined) return this.#send(data, undefined, options)
    return withReachablePath(address, 'connect', (reachable) =>
      this.#send(data, encodeSocketAddress(reachable), options),
    )
  }

  /**
   * Calls `onWritable` once, when the receiver that this socket is connected to has room again, or there is
   * an error that the next send will throw. The latest callback counts; `undefined` ends the waiting. A
   * socket that is not connected has no such receiver: there it waits for our own send buffer only.
   */
  onceWritable(onWritable: (() => void) | undefined): void {
    this.#onWritable = onWritable
    this.#arm()
  }

  /** Starts to deliver what arrives, once in the socket's life. */
  receive(options: ReceiveOptions): MessageReceiver {
    if (this.#receiver !== undefined) throw new Error('this socket is received from already')
    if (this.#fd === -1) check(EBADF, 'recvmsg')
    const receiver = new MessageReceiver(this.#fd, options, () => this.#arm())
    this.#receiver = receiver
    try {
      this.#arm()
    } catch (error) {
      // Without descriptors for the waiting, say. It may be tried again.
      this.#receiver = undefined
      this.#watcher?.unref()
      throw error
    }
    return receiver
  }

  /**
   * Closes the socket: at once if its queue is empty. Messages in the queue may carry descriptors that
   * block when they are closed (see {@link closeForeignFds}), so then it ends a moment later, on a thread.
   * No callback comes after this returns. Closing twice is harmless.
   */
  close(): void {
    if (this.#fd === -1) return
    this.#watcher?.close()
    this.#receiver?.stop()
    const fd = this.#fd
    this.#fd = -1
    this.#onWritable = undefined
    native().closeSocket(fd)
  }

  /** Lets the process end although this socket waits for something. */
  unref(): this {
    this.#keepsAlive = false
    this.#watcher?.unref()
    return this
  }

  #send(data: Uint8Array, address: Uint8Array | undefined, options: SendOptions): boolean {
    const { fds, credentials } = options
    const result = native().send(
      this.#fd,
      data,
      address,
      fds && fdArray(fds),
      credentials && credentialsArray(credentials),
    )
    if (result === EAGAIN) return false
    this.#check(result, 'sendmsg', options.address ?? this.#peer)
    return true
  }

  #arm(): void {
    if (this.#fd === -1) return
    const reading = this.#receiver?.waiting ?? false
    const writing = this.#onWritable !== undefined
    if (reading || writing) {
      this.#watcher ??= new FdWatcher(this.#fd, (readiness) => this.#ready(readiness))
      if (reading && writing) this.#watcher.arm('readable', 'writable')
      else this.#watcher.arm(reading ? 'readable' : 'writable')
    }
    // A socket that only sent, and waited for room once, does not hold up the end of the process.
    const keepsAlive = this.#keepsAlive && (this.#receiver !== undefined || writing)
    if (keepsAlive) this.#watcher?.ref()
    else this.#watcher?.unref()
  }

  #ready(readiness: Readiness): void {
    const failed = readiness.error || readiness.hangup
    const onWritable = this.#onWritable
    try {
      // An error ends the waiting as well: the next send tells which one it is.
      if (onWritable !== undefined && (readiness.writable || failed)) {
        this.#onWritable = undefined
        onWritable()
      }
      if (readiness.readable || failed) this.#receiver?.readBatch(readiness.hangup)
    } finally {
      this.#arm()
    }
  }

  #check(result: number, syscall: string, address?: SocketAddress): void {
    check(result, syscall, address && formatSocketAddress(address))
  }
}

function credentialsArray({ pid, uid, gid }: Credentials): Int32Array {
  for (const id of [pid, uid, gid]) {
    if (!Number.isInteger(id) || id < 0 || id > 0xffff_ffff) {
      throw invalid(`not a process, user or group id: ${String(id)}`)
    }
  }
  return Int32Array.of(pid, uid, gid)
}
