import { MESSAGE_MAX_BYTES, type ParsedAssignments } from '@sdbridge/notify/relay'

const LINE_FEED = 10
const BACKSLASH = 92

/** What goes on as it is, whatever the options: flags, and in front of its value the status. */
const KINDS = (
  [
    ['READY=1', 'ready'],
    ['WATCHDOG=1', 'watchdog'],
    ['STOPPING=1', 'stopping'],
    ['STATUS=', 'status'],
  ] as const
).map(([key, property]) => ({ key: Buffer.from(key), property }))
const STATUS = 3

/** A line's kind, and one more for none, as digits of a number. */
const DIGIT_BITS = 3
const DIGIT_MASK = 7

/**
 * Reads the notifications that nearly all are, without making an object of them: `READY=1`, `WATCHDOG=1`, `STOPPING=1` and a `STATUS=` of printable
 * ASCII, each at most once and on a line of its own, and no longer than systemd reads. What this takes goes on byte by byte as it came: it
 * is what all the checks and translations would make of it. All else it refuses, and is no judge of.
 */
export class PlainNotification {
  /** Without a line break at its end. */
  length = 0
  #bytes: Buffer = Buffer.alloc(0)
  /** Which lines it has: a bit for each kind. */
  kinds = 0
  /** The same in their order: a digit for each line, the first one lowest. */
  #order = 0
  #lines = 0
  #statusStart = 0
  #statusEnd = 0

  /** Whether it is one. */
  read(bytes: Buffer, offset: number, length: number): boolean {
    let end = offset + length
    if (length > 0 && bytes[end - 1] === LINE_FEED) end--
    if (end === offset || length > MESSAGE_MAX_BYTES) return false
    this.#bytes = bytes
    this.kinds = this.#order = this.#lines = 0
    this.length = end - offset
    for (let at = offset; at < end;) {
      at = this.#readLine(at, end)
      // A line break is followed by a line: an empty one would go.
      if (at === -1 || (at < end && ++at === end)) return false
    }
    return true
  }

  get assignments(): ParsedAssignments {
    const assignments: ParsedAssignments = {}
    for (let digits = this.#order; digits > 0; digits >>= DIGIT_BITS) {
      const kind = (digits & DIGIT_MASK) - 1
      const { property } = KINDS[kind]!
      if (property !== 'status') assignments[property] = true
      else assignments.status = this.#bytes.toString('latin1', this.#statusStart, this.#statusEnd)
    }
    return assignments
  }

  /** Returns where the line ends, or -1. */
  #readLine(at: number, end: number): number {
    const kind = this.#kindAt(at, end)
    if (kind === -1 || (this.kinds & (1 << kind)) !== 0) return -1
    this.kinds |= 1 << kind
    this.#order |= (kind + 1) << (DIGIT_BITS * this.#lines++)
    const after = at + KINDS[kind]!.key.length
    if (kind === STATUS) return this.#readStatus(after, end)
    return after === end || this.#bytes[after] === LINE_FEED ? after : -1
  }

  #kindAt(at: number, end: number): number {
    for (let kind = 0; kind < KINDS.length; kind++) {
      if (this.#startsWith(KINDS[kind]!.key, at, end)) return kind
    }
    return -1
  }

  #readStatus(at: number, end: number): number {
    let next = at
    for (; next < end; next++) {
      const byte = this.#bytes[next]!
      if (byte === LINE_FEED) break
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1
    }
    this.#statusStart = at
    this.#statusEnd = next
    return next
  }

  #startsWith(key: Buffer, at: number, end: number): boolean {
    if (at + key.length > end) return false
    for (let index = 0; index < key.length; index++) {
      if (this.#bytes[at + index] !== key[index]) return false
    }
    return true
  }
}
