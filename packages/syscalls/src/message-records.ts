import { decodeSocketAddress, type SocketAddress } from './socket-address.js'

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

const PAYLOAD_TRUNCATED = 1
const CONTROL_TRUNCATED = 2
const HAS_CREDENTIALS = 4
/** Of native/glue-message.c: offset, length, full length, flags, pid, uid, gid, pidfd, number of descriptors, bytes of the address. */
const RECORD_HEADER = 10
const FDS_PER_MESSAGE = 253
const ADDRESS_INTEGERS = 32

/** How native/glue-message.c describes what it has received, behind an error. Filled and read within one call, so all sockets share them. */
export const records: Int32Array = new Int32Array(
  1 + 4 * (RECORD_HEADER + FDS_PER_MESSAGE + ADDRESS_INTEGERS),
)

/** Looks at the plain messages at the beginning of a batch, of which there may be none. */
export function plainMessages(count: number, payloads: Buffer): PlainMessages {
  plain.payloads = payloads
  plain.count = 0
  while (plain.count < count && isPlain(1 + plain.count * RECORD_HEADER)) plain.count++
  return plain
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
export function readRecords(first: number, count: number, payloads: Buffer): ReceivedMessage[] {
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
