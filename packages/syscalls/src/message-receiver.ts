import { BatchReceiver } from './batch-receiver.js'
import { native } from './native.js'
import { passCredentials } from './pass-credentials.js'
import { MESSAGES_PER_BATCH, payloadMemory } from './payload-memory.js'
import { decodeSocketAddress, type SocketAddress } from './socket-address.js'
import { SOL_SOCKET } from './socket-facts.js'
import { EAGAIN, systemError, type SystemError } from './system-error.js'
import { throwLater } from './throw-later.js'

/** One message as it arrived (recvmsg(2)): a datagram, a packet, or some bytes of a stream. Whoever gets it owns `fds` and `pidfd` and must close them. */
export interface ReceivedMessage {
  /** The payload, at most `maxBytes` of it. An empty datagram or packet is a message too, not an end. */
  data: Buffer
  /** The payload's length as it was sent, in bytes; more than `data` holds if it was truncated. */
  fullLength: number
  /** The payload was longer than `maxBytes`. */
  truncated: boolean
  /** Descriptors or credentials were lost: too many of them, or no room in our descriptor table. */
  controlTruncated: boolean
  /**
   * Who sent it, as the kernel says (SO_PASSCRED). `pid` is 0 for a process that our pid namespace does not
   * show; absent if the kernel attached nothing.
   */
  sender?: { pid: number; uid: number; gid: number }
  /** A pidfd of the sender, if asked for and if the kernel gives one (Linux 6.5). Ours to close. */
  pidfd?: number
  /**
   * Where it was sent from, and so where to answer, if asked for. Absent if the sender's socket has no address; what else there is
   * depends on the family (unix(7), vsock(7), netlink(7)).
   */
  address?: SocketAddress
  /** The descriptors that came along, close-on-exec. Close with `closeForeignFds`. */
  fds: number[]
}

/**
 * Messages of payload alone, where the kernel has put them: whole, from a known sender, without descriptors, pidfd or address. All of
 * it is only valid until the callback that got it returns.
 */
export interface PlainMessages {
  /** How many, oldest first. */
  readonly count: number
  /** Where the payloads are; other bytes of it mean nothing. */
  readonly payloads: Buffer
  /** Where the payload of one of them begins. */
  readonly offset: (index: number) => number
  /** How many bytes it has. */
  readonly length: (index: number) => number
  /** The sender's process, as in {@link ReceivedMessage}. */
  readonly pid: (index: number) => number
}

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
const PAYLOAD_TRUNCATED = 1
const CONTROL_TRUNCATED = 2
const HAS_CREDENTIALS = 4
/** Of native/glue-message.c: offset, length, full length, flags, pid, uid, gid, pidfd, number of descriptors, bytes of the address. */
const RECORD_HEADER = 10
const FDS_PER_MESSAGE = 253
const ADDRESS_INTEGERS = 32

// Filled and read within one call, so all sockets share them.
const records = new Int32Array(1 + 4 * (RECORD_HEADER + FDS_PER_MESSAGE + ADDRESS_INTEGERS))

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
    const addressed = this.#options.addresses ? 1 : 0
    return native().receive(
      this.#fd,
      payloads,
      records,
      MESSAGES_PER_BATCH,
      this.#maxBytes,
      addressed,
    )
  }

  #offerPlain(count: number, payloads: Buffer): number {
    const { onPlain } = this.#options
    if (onPlain === undefined) return 0
    plain.payloads = payloads
    plain.count = 0
    while (plain.count < count && isPlain(1 + plain.count * RECORD_HEADER)) plain.count++
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

/** Each record of a plain message is a header, so the next one begins right behind it. */
const plain = {
  count: 0,
  payloads: Buffer.alloc(0) as Buffer,
  offset: (index: number): number => records[1 + index * RECORD_HEADER]!,
  length: (index: number): number => records[2 + index * RECORD_HEADER]!,
  pid: (index: number): number => records[5 + index * RECORD_HEADER]!,
} satisfies PlainMessages

function isPlain(at: number): boolean {
  const isWhole = records[at + 3] === HAS_CREDENTIALS
  return isWhole && records[at + 7] === -1 && records[at + 8] === 0 && records[at + 9] === 0
}

/** @param first That many plain ones are left out. */
function readRecords(first: number, count: number, payloads: Buffer): ReceivedMessage[] {
  const batch: ReceivedMessage[] = []
  let at = 1 + first * RECORD_HEADER
  for (let index = first; index < count; index++) {
    const offset = records[at]!
    const flags = records[at + 3]!
    const pidfd = records[at + 7]!
    const fdCount = records[at + 8]!
    const addressBytes = records[at + 9]!
    const end = at + RECORD_HEADER + fdCount
    const message: ReceivedMessage = {
      data: Buffer.from(payloads.subarray(offset, offset + records[at + 1]!)),
      fullLength: records[at + 2]!,
      truncated: (flags & PAYLOAD_TRUNCATED) !== 0,
      controlTruncated: (flags & CONTROL_TRUNCATED) !== 0,
      fds: fdCount === 0 ? [] : Array.from(records.subarray(at + RECORD_HEADER, end)),
    }
    if ((flags & HAS_CREDENTIALS) !== 0) {
      message.sender = {
        pid: records[at + 4]!,
        uid: records[at + 5]! >>> 0,
        gid: records[at + 6]! >>> 0,
      }
    }
    if (pidfd >= 0) message.pidfd = pidfd
    if (addressBytes > 0) message.address = addressAt(end, addressBytes)
    batch.push(message)
    at = end + Math.ceil(addressBytes / 4)
  }
  return batch
}

function addressAt(index: number, length: number): SocketAddress {
  return decodeSocketAddress(new Uint8Array(records.buffer, 4 * index, length))
}
