import type { UnixOutlet } from '@sdbridge/notify/relay'
import createDebug from 'debug'
import type { QueueEntry } from './queue-entry.js'

const debug = createDebug('sdbridge:proxy:queue')

/** As many messages as the kernel's own queue holds under systemd (net.unix.max_dgram_qlen). */
const MOST_MESSAGES = 512
const MOST_BYTES = 1024 * 1024
const MOST_FDS = 512
const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1000

/** What only the message itself can be the reason of; everything else may be over later. */
const OF_THE_MESSAGE = new Set(['EMSGSIZE', 'EINVAL', 'E2BIG'])
/** The same, if it carries descriptors: a receiver with SO_PASSRIGHTS off says EPERM. */
const OF_THE_DESCRIPTORS = new Set([...OF_THE_MESSAGE, 'EPERM', 'EOPNOTSUPP', 'EBADF'])

export interface QueueEvents {
  /** A message was sent, or let go of: there may be room, or nothing left. */
  onProgress(): void
  onSuperseded(): void
  /** A barrier left the queue, as nobody waits for it any more. */
  onGivenUp(entry: QueueEntry): void
  /** The service manager's socket can never take this one, which is let go of. */
  onRefused(entry: QueueEntry, error: Error): void
}

/**
 * What waits for the service manager, in order. It sends as much as there is room for; while the service manager is busy it waits for
 * room, and while its socket is not there it tries again, ever more rarely, but at least once a second.
 *
 * One barrier is out at a time: newer service managers start a process for each to close its descriptor, and as long as notifications
 * are there they answer nobody else.
 */
export class ManagerQueue {
  readonly #outlet: UnixOutlet
  readonly #events: QueueEvents
  readonly #entries: QueueEntry[] = []
  #bytes = 0
  #fds = 0
  #timer: NodeJS.Timeout | undefined
  #pauseMs = FIRST_PAUSE_MS
  #waitsForRoom = false
  /** Sent, and not acknowledged yet. */
  #isBarrierOut = false

  constructor(outlet: UnixOutlet, events: QueueEvents) {
    this.#outlet = outlet
    this.#events = events
  }

  get size(): number {
    return this.#entries.length
  }

  /** How full it is: from 1 on, no more should be added. */
  get fill(): number {
    return Math.max(
      this.#entries.length / MOST_MESSAGES,
      this.#bytes / MOST_BYTES,
      this.#fds / MOST_FDS,
    )
  }

  /** Adds a message, and sends nothing yet: a later one of the same batch may supersede it. */
  push(entry: QueueEntry): void {
    const older = this.#findSuperseded(entry)
    if (older !== -1) {
      this.#removeAt(older).abandon()
      this.#events.onSuperseded()
    }
    this.#entries.push(entry)
    this.#bytes += entry.data.length
    this.#fds += entry.fdCount
  }

  /**
   * Sends messages of text alone past the queue, if nothing is in it.
   *
   * @returns How many were sent; the others are to be pushed.
   */
  trySendBatch(payloads: Uint8Array, ranges: Int32Array): number {
    return this.#entries.length > 0 ? 0 : this.#outlet.trySendBatch(payloads, ranges)
  }

  /** Sends what it can, unless it waits for the service manager already. */
  flush(): void {
    if (this.#timer === undefined && !this.#waitsForRoom) this.#send()
    this.#watchBarriers()
  }

  /** Lets go of everything. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#outlet.onceRoom(undefined)
    this.#outlet.close()
    while (this.#entries.length > 0) this.#removeAt(0).abandon()
  }

  #send(): void {
    for (let next = this.#entries[0]; next !== undefined; next = this.#entries[0]) {
      if (next.kind === 'barrier' && this.#isBarrierOut) break
      try {
        if (!this.#outlet.trySend({ data: next.data, fds: next.fds() })) {
          this.#waitForRoom()
          break
        }
      } catch (error) {
        if (!this.#replaceRefused(next, error as NodeJS.ErrnoException)) {
          this.#tryLater(error as Error)
          break
        }
        continue
      }
      this.#pauseMs = FIRST_PAUSE_MS
      this.#removeAt(0)
      this.#isBarrierOut ||= next.kind === 'barrier'
      const following = next.sent(() => this.#barrierAcknowledged())
      if (following !== undefined) this.#putFirst(following)
    }
  }

  /** Whether the message itself is what cannot be sent; then it is not the next one any more. */
  #replaceRefused(entry: QueueEntry, error: NodeJS.ErrnoException): boolean {
    const code = error.syscall === 'sendmsg' ? (error.code ?? '') : ''
    const reasons = entry.fdCount > 0 ? OF_THE_DESCRIPTORS : OF_THE_MESSAGE
    if (!reasons.has(code)) return false
    this.#removeAt(0)
    debug(
      '%d bytes with %d descriptors are refused: %s',
      entry.data.length,
      entry.fdCount,
      error.message,
    )
    if (entry.fdCount === 0) {
      entry.abandon()
      this.#events.onRefused(entry, error)
      return true
    }
    const rest = entry.withoutFds()
    if (rest === undefined) return true
    this.#putFirst(rest)
    return true
  }

  #waitForRoom(): void {
    try {
      this.#outlet.onceRoom(() => {
        this.#waitsForRoom = false
        this.#goOn()
      })
      this.#waitsForRoom = true
    } catch (error) {
      this.#tryLater(error as Error)
    }
  }

  #tryLater(error: Error): void {
    debug('%d messages wait, next attempt in %d ms: %s', this.size, this.#pauseMs, error.message)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#goOn()
    }, this.#pauseMs)
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS)
  }

  #goOn(): void {
    this.flush()
    this.#events.onProgress()
  }

  // Only those that have to wait.
  #watchBarriers(): void {
    for (const entry of this.#entries) entry.onGivenUp?.(() => this.#giveUp(entry))
  }

  #giveUp(entry: QueueEntry): void {
    const index = this.#entries.indexOf(entry)
    if (index === -1) return
    this.#removeAt(index).abandon()
    this.#events.onGivenUp(entry)
    this.#events.onProgress()
  }

  #findSuperseded({ kind }: QueueEntry): number {
    if (kind !== 'watchdog' && kind !== 'status') return -1
    const index = this.#entries.findLastIndex(
      (entry) => entry.kind === kind || entry.kind === 'barrier',
    )
    return this.#entries[index]?.kind === kind ? index : -1
  }

  #barrierAcknowledged(): void {
    this.#isBarrierOut = false
    this.#goOn()
  }

  #putFirst(entry: QueueEntry): void {
    this.#entries.unshift(entry)
    this.#bytes += entry.data.length
    this.#fds += entry.fdCount
  }

  #removeAt(index: number): QueueEntry {
    const [entry] = this.#entries.splice(index, 1) as [QueueEntry]
    this.#bytes -= entry.data.length
    this.#fds -= entry.fdCount
    return entry
  }
}
