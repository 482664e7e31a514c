import type { MessageFamily } from './adopt-socket.js'
import { FdWatcher, type Readiness } from './fd-watcher.js'
import { fdArray } from './fd.js'
import { type EndTest, MessageReceiver, type ReceiveOptions } from './message-receiver.js'
import { native } from './native.js'
import { formatSocketAddress, type SocketAddress } from './socket-address.js'
import { check, EAGAIN, invalid } from './system-error.js'

/** The sender that a message claims to come from; the kernel checks the claim (unix(7)). */
export interface Credentials {
  pid: number
  uid: number
  gid: number
}

/** What goes with a message. */
export interface Ancillary {
  /** Descriptors that travel with the message, at most 253. Borrowed: they stay open and the caller's. */
  fds?: readonly number[]
  /** Claims another sender. Root only: `EPERM` otherwise, and `ESRCH` if there is no such process. */
  credentials?: Credentials
}

const EBADF = -9

/**
 * What the sockets of this package have in common: messages in and out without waiting, and a descriptor that is
 * close-on-exec, non-blocking and the object's own. It keeps the process alive only while it receives or waits for room.
 * An environment that ends (a Worker, say) closes its sockets.
 */
export abstract class MessageSocket {
  #fd: number
  #receiver: MessageReceiver | undefined
  #onWritable: (() => void) | undefined
  #watcher: FdWatcher | undefined
  #keepsAlive = true
  readonly #carriesFds: boolean

  protected constructor(fd: number, family: MessageFamily = 'unix') {
    this.#fd = fd
    this.#carriesFds = family === 'unix'
  }

  /** The descriptor's number, or -1 once closed. It stays this object's: do not close it. */
  get fd(): number {
    return this.#fd
  }

  /**
   * Calls `onWritable` once, when there is room for a message again, or there is an error that the next send will throw. The
   * latest callback counts; `undefined` ends the waiting.
   */
  onceWritable(onWritable: (() => void) | undefined): void {
    this.#onWritable = onWritable
    this.#arm()
  }

  /**
   * Closes the socket: at once if its queue is empty. Messages in the queue of a unix socket may carry descriptors
   * that block when they are closed (see {@link closeForeignFds}), so then it ends a moment later, on a thread.
   * No callback comes after this returns. Closing twice is harmless.
   */
  close(): void {
    if (this.#fd === -1) return
    this.#watcher?.close()
    this.#receiver?.stop()
    const fd = this.#fd
    this.#fd = -1
    this.#onWritable = undefined
    if (this.#carriesFds) native().closeSocket(fd)
    else native().close(fd)
  }

  /** Lets the process end although this socket waits for something. */
  unref(): this {
    this.#keepsAlive = false
    this.#watcher?.unref()
    return this
  }

  /** Takes back `unref`. */
  ref(): this {
    this.#keepsAlive = true
    this.#arm()
    return this
  }

  /** Returns what sendmsg(2) does, or `EAGAIN`. */
  protected send(
    data: Uint8Array,
    address: Uint8Array | undefined,
    { fds, credentials }: Ancillary,
    subject?: SocketAddress,
  ): number {
    // Each argument costs a call of Node-API, and nearly all messages are payload alone.
    const plain = address === undefined && fds === undefined && credentials === undefined
    const result = plain
      ? native().send(this.#fd, data)
      : native().send(
          this.#fd,
          data,
          address,
          fds && fdArray(fds),
          credentials && credentialsArray(credentials),
        )
    if (result >= 0 || result === EAGAIN) return result
    return check(result, 'sendmsg', subject && formatSocketAddress(subject))
  }

  protected startReceiving(options: ReceiveOptions, endsAt?: EndTest): MessageReceiver {
    if (this.#receiver !== undefined) throw new Error('this socket is received from already')
    if (this.#fd === -1) check(EBADF, 'recvmsg')
    const receiver = new MessageReceiver(this.#fd, options, () => this.#arm(), endsAt)
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
}

function credentialsArray({ pid, uid, gid }: Credentials): Int32Array {
  for (const id of [pid, uid, gid]) {
    if (!Number.isInteger(id) || id < 0 || id > 0xffff_ffff) {
      throw invalid(`not a process, user or group id: ${String(id)}`)
    }
  }
  return Int32Array.of(pid, uid, gid)
}
