import { MESSAGE_MAX_BYTES, type ParsedAssignments } from '@sdbridge/notify/relay'

const LINE_FEED = 10
const BACKSLASH = 92
const STATUS = Buffer.from('STATUS=')

/** The flags that go on as they are, whatever the options: with their properties. */
const FLAGS = (
  [
    ['READY', 'ready'],
    ['WATCHDOG', 'watchdog'],
    ['STOPPING', 'stopping'],
  ] as const
).map(([key, property]) => ({ key: Buffer.from(`${key}=1`), property }))

/**
 * Reads the notifications that nearly all are, without making a string of them: `READY=1`, `WATCHDOG=1`, `STOPPING=1` and a `STATUS=` of printable
 * ASCII, each at most once and on a line of its own, and no longer than systemd reads. What this takes goes on byte by byte as it came: it
 * is what all the checks and translations would make of it. All else it refuses, and is no judge of.
 */
export class PlainNotification {
  /** Without a line break at its end. */
  length = 0
  #bytes: Buffer = Buffer.alloc(0)
  /** Which of the flags it has, in their order. */
  readonly #flags: number[] = []
  #statusStart = -1
  #statusEnd = -1
  /** In which order the status comes. */
  #statusAfter = 0

  /** Whether it is one. */
  read(bytes: Buffer, offset: number, length: number): boolean {
    this.#bytes = bytes
    this.#flags.length = 0
    this.#statusStart = -1
    let end = offset + length
    if (length > 0 && bytes[end - 1] === LINE_FEED) end--
    if (end === offset || length > MESSAGE_MAX_BYTES) return false
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
    for (let index = 0; index <= this.#flags.length; index++) {
      if (this.#statusStart !== -1 && this.#statusAfter === index)
        assignments.status = this.#bytes.toString('latin1', this.#statusStart, this.#statusEnd)
      const flag = FLAGS[this.#flags[index] ?? -1]
      if (flag !== undefined) assignments[flag.property] = true
    }
    return assignments
  }

  /** Returns where the line ends, or -1. */
  #readLine(at: number, end: number): number {
    if (this.#bytes[at] === STATUS[0] && this.#bytes[at + 2] === STATUS[2])
      return this.#readStatus(at, end)
    const index = FLAGS.findIndex(({ key }) => this.#startsWith(key, at, end))
    const after = at + (FLAGS[index]?.key.length ?? 0)
    const isWhole = index !== -1 && (after === end || this.#bytes[after] === LINE_FEED)
    if (!isWhole || this.#flags.includes(index)) return -1
    this.#flags.push(index)
    return after
  }

  #readStatus(at: number, end: number): number {
    if (this.#statusStart !== -1 || !this.#startsWith(STATUS, at, end)) return -1
    this.#statusAfter = this.#flags.length
    this.#statusStart = at + STATUS.length
    let next = this.#statusStart
    for (; next < end; next++) {
      const byte = this.#bytes[next]!
      if (byte === LINE_FEED) break
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1
    }
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
