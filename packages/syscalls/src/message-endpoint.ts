import type { BatchReceiver } from './batch-receiver.js'
import { FdWatcher, type Readiness } from './fd-watcher.js'
import { check } from './system-error.js'

const EBADF = -9

/**
 * What messages go to and come from without waiting, with a descriptor that is close-on-exec, non-blocking and the object's own.
 * It keeps the process alive only while it receives or waits for room. An environment that ends (a Worker, say) closes it.
 */
export abstract class MessageEndpoint {
  #fd: number
  #receiver: BatchReceiver | undefined
  #onWritable: (() => void) | undefined
  #watcher: FdWatcher | undefined
  #keepsAlive = true

  protected constructor(fd: number) {
    this.#fd = fd
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

  /** Closes it. No callback comes after this returns. Closing twice is harmless. */
  close(): void {
    if (this.#fd === -1) return
    this.#watcher?.close()
    this.#receiver?.stop()
    const fd = this.#fd
    this.#fd = -1
    this.#onWritable = undefined
    this.closeFd(fd)
  }

  /** Lets the process end although this waits for something. */
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

  protected abstract closeFd(fd: number): void

  /**
   * Starts to deliver what arrives, once in a life.
   *
   * @param syscall What reads, for the error of a closed one.
   * @param make Makes the receiver.
   */
  protected startWith<R extends BatchReceiver>(
    syscall: string,
    make: (onResume: () => void) => R,
  ): R {
    if (this.#receiver !== undefined) throw new Error('messages are received from this already')
    if (this.#fd === -1) check(EBADF, syscall)
    const receiver = make(() => this.#arm())
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
    // What only sent, and waited for room once, does not hold up the end of the process.
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
