import { BatchReceiver } from './batch-receiver.js'
import {
  plainMessages,
  type PlainMessages,
  readRecords,
  type ReceivedMessage,
  records,
} from './message-records.js'
import { ADDRESSED, native } from './native.js'
import { passCredentials } from './pass-credentials.js'
import { MESSAGES_PER_BATCH, payloadMemory } from './payload-memory.js'
import { SOL_SOCKET } from './socket-facts.js'
import { EAGAIN, systemError, type SystemError } from './system-error.js'
import { throwLater } from './throw-later.js'

export interface ReceiveOptions {
  /**
   * Called in front of `onMessages` where a batch begins with such messages, for one who can deal with them as they are: they are neither
   * copied nor made objects. It returns how many it has dealt with, from the first on. The others, if any, are delivered to `onMessages`
   * then, which is called in any case. If it has dealt with a whole batch of 64, it may be called again with the next one before that,
   * up to four times. It must receive nothing from any socket, for that would be put in the same memory.
   */
  onPlain?: (messages: PlainMessages) => number
  /** Called with what has arrived, oldest first, at most 64 messages at a time. */
  onMessages: (batch: ReceivedMessage[]) => void
  /**
   * Called when the other end has closed, after all that it sent. Never for a datagram socket, and not if `onError` tells
   * that it did not read all that we sent (`ECONNRESET`).
   */
  onEnd?: () => void
  /**
   * Called when the socket fails; nothing is received after that. But `ENOBUFS` says that messages were lost, because a netlink
   * socket's queue was full (netlink(7)): receiving goes on.
   */
  onError: (error: SystemError) => void
  /** The longest payload that is taken whole, in bytes. Default 4096, the service manager's own limit. */
  maxBytes?: number
  /** Ask for a pidfd of each sender. Default false: it costs a descriptor a message. */
  pidfd?: boolean
  /** Ask for the address of each sender. Default false. */
  addresses?: boolean
}

/** Whether a message is none, but says that no more will come: the socket is connected, and its other end has closed. */
export type EndTest = (message: ReceivedMessage) => boolean

/** Of messages that are as quickly dealt with as a turn of the event loop takes. */
const PLAIN_BATCHES_PER_TURN = 4
const SO_PASSPIDFD = 76
const ESHUTDOWN = -108
const ECONNRESET = -104
const ENOBUFS = -105

/** The receiving half of a socket. */
export class MessageReceiver extends BatchReceiver {
  readonly #fd: number
  readonly #options: ReceiveOptions
  readonly #maxBytes: number
  readonly #endsAt: EndTest | undefined
  /** The other end has closed without reading all that we sent. */
  #isReset = false

  /** Made by a socket's `receive`. */
  constructor(fd: number, options: ReceiveOptions, onResume: () => void, endsAt?: EndTest) {
    super(onResume)
    this.#fd = fd
    this.#options = options
    this.#maxBytes = options.maxBytes ?? 4096
    this.#endsAt = endsAt
    if (!Number.isInteger(this.#maxBytes) || this.#maxBytes < 1 || this.#maxBytes > 0x40_0000) {
      const message = `maxBytes must be an integer from 1 to 4194304, not ${this.#maxBytes}`
      throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' })
    }
    passCredentials(fd)
    // Kernels before 6.5 refuse this; then there are no pidfds, which the caller sees.
    if (options.pidfd) native().setsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, 1)
  }

  readBatch(hangup = false): number {
    if (!this.waiting) return 0
    const payloads = payloadMemory(this.#maxBytes)
    let count: number
    let done: number
    let doneBefore = 0
    for (let batches = 1; ; batches++) {
      count = this.#fill(payloads)
      done = this.#offerPlain(count, payloads)
      const mayHaveMore = done === MESSAGES_PER_BATCH && this.waiting
      if (!mayHaveMore || batches === PLAIN_BATCHES_PER_TURN) break
      doneBefore += done
    }
    const error = hangup && records[0] === EAGAIN ? ESHUTDOWN : records[0]!
    const batch = readRecords(done, count, payloads)
    done += doneBefore
    const ended = this.#cutAtEnd(batch)
    // A seqpacket socket tells of this before it hands out what had arrived: there is more to read, up to the end.
    const resets = error === ECONNRESET && this.#endsAt !== undefined
    if (resets) this.#isReset = true
    try {
      if (batch.length > 0 || done > 0) this.#options.onMessages(batch)
    } finally {
      if (ended && this.#isReset) this.#fail(ECONNRESET)
      else if (ended) this.#end()
      else if (error !== 0 && error !== EAGAIN && !resets) this.#fail(error)
    }
    return done + batch.length
  }

  #fill(payloads: Buffer): number {
    const options = this.#options.addresses ? ADDRESSED : 0
    return native().receive(
      this.#fd,
      payloads,
      records,
      MESSAGES_PER_BATCH,
      this.#maxBytes,
      options,
    )
  }

  #offerPlain(count: number, payloads: Buffer): number {
    const { onPlain } = this.#options
    if (onPlain === undefined) return 0
    const plain = plainMessages(count, payloads)
    if (plain.count === 0) return 0
    try {
      return onPlain(plain)
    } catch (error) {
      // The others have descriptors that somebody must close.
      throwLater(error)
      return 0
    }
  }

  #cutAtEnd(batch: ReceivedMessage[]): boolean {
    const end = this.#endsAt === undefined ? -1 : batch.findIndex(this.#endsAt)
    if (end !== -1) batch.length = end
    return end !== -1
  }

  #end(): void {
    if (this.stopped) return
    this.stop()
    this.#options.onEnd?.()
  }

  #fail(error: number): void {
    // Closed by onMessages: then nobody wants to hear of it.
    if (this.stopped) return
    if (error !== ENOBUFS) this.stop()
    this.#options.onError(systemError(error, 'recvmsg'))
  }
}
