import { BatchReceiver } from './batch-receiver.js'
import { closeForeignFds } from './fd.js'
import {
  plainMessages,
  type PlainMessages,
  readRecords,
  type ReceivedMessage,
  records,
} from './message-records.js'
import { native, PEEK } from './native.js'
import { passCredentials } from './pass-credentials.js'
import { MESSAGES_PER_BATCH, payloadMemory } from './payload-memory.js'
import { EAGAIN, systemError, type SystemError } from './system-error.js'

export interface PeekOptions {
  /**
   * Called in front of `onMessage` with a message of payload alone, where the kernel has put it, for one who can deal with it as it is. It
   * returns whether it has. It must receive nothing from any socket, for that would be put in the same memory.
   */
  onPlain?: (message: PlainMessages) => boolean
  /**
   * Called with the oldest message. It returns whether it has dealt with it: the message then leaves the kernel's queue. Otherwise it stays there,
   * and nothing more is received, until {@link PeekingReceiver.release}. Its descriptors are borrowed: they are closed, on a thread, when the message has
   * left the queue, as the last of two to close a stranger's descriptor can have to wait for it.
   */
  onMessage: (message: ReceivedMessage) => boolean
  /** Called when the socket fails; nothing is received after that. */
  onError: (error: SystemError) => void
  /** The longest payload that is taken whole, in bytes. Default 4096. */
  maxBytes?: number
}

/**
 * The receiving half of a datagram socket whose messages leave the kernel's queue one by one, and only when they have been dealt with: a process that
 * is killed loses none, and may meet the last one again.
 */
export class PeekingReceiver extends BatchReceiver {
  readonly #fd: number
  readonly #options: PeekOptions
  readonly #maxBytes: number
  /** Of the message that is being dealt with. */
  #fds: readonly number[] = []

  /** Made by a socket's `peek`. */
  constructor(fd: number, options: PeekOptions, onResume: () => void) {
    super(onResume)
    this.#fd = fd
    this.#options = options
    this.#maxBytes = options.maxBytes ?? 4096
    passCredentials(fd)
  }

  readBatch(): number {
    let count = 0
    while (count < MESSAGES_PER_BATCH && this.waiting && this.#readOne()) count++
    return count
  }

  /** The message that was left in the queue has been dealt with: goes on with the next one. */
  release(): void {
    if (this.stopped || this.waiting) return
    if (this.#discard()) this.resume()
  }

  /** Closes the descriptors of the message that was left in the queue, which has them still: {@link resume} gives new ones. */
  closeFds(): void {
    const fds = this.#fds
    this.#fds = []
    if (fds.length > 0) closeForeignFds(fds)
  }

  /** Offers the message that was left in the queue again. */
  override resume(): void {
    this.closeFds()
    super.resume()
  }

  override stop(): void {
    super.stop()
    this.closeFds()
  }

  /** Returns whether one has been dealt with. */
  #readOne(): boolean {
    const payloads = payloadMemory(this.#maxBytes)
    const count = native().receive(this.#fd, payloads, records, 1, this.#maxBytes, PEEK)
    if (count === 0) {
      if (records[0] !== EAGAIN) this.#fail(records[0]!)
      return false
    }
    const isDone = this.#offerPlain(count, payloads) || this.#offer(count, payloads)
    if (this.stopped) return false
    if (!isDone) this.pause()
    else if (this.#discard()) this.closeFds()
    return isDone
  }

  #offerPlain(count: number, payloads: Buffer): boolean {
    const { onPlain } = this.#options
    if (onPlain === undefined) return false
    const plain = plainMessages(count, payloads)
    return plain.count > 0 && onPlain(plain)
  }

  #offer(count: number, payloads: Buffer): boolean {
    const [message] = readRecords(0, count, payloads)
    this.#fds = message!.fds
    return this.#options.onMessage(message!)
  }

  #discard(): boolean {
    const result = native().discard(this.#fd)
    if (result < 0) this.#fail(result)
    return result >= 0
  }

  #fail(error: number): void {
    this.stop()
    this.#options.onError(systemError(error, 'recvmsg'))
  }
}
