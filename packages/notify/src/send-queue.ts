import { NotifyError } from './errors.js'
import { onAbort } from './on-abort.js'
import type { Outgoing, Outlet } from './transport.js'

interface Waiting extends Outgoing {
  /** Which later message makes this one pointless; `undefined` if none does. */
  supersededBy: 'WATCHDOG=1' | 'STATUS' | undefined
  settle: (error?: unknown) => void
}

/** As many messages as the kernel's own queue holds under systemd (net.unix.max_dgram_qlen). */
export const QUEUE_LIMIT = 512
/** The last of these places are for messages that a service cannot do without, such as `READY=1`. */
export const QUEUE_LIMIT_OF_STATES = 1024

/**
 * Keeps notifications in order while the service manager is busy, and no more of them than {@link QUEUE_LIMIT}; those that tell
 * of a state or carry descriptors may come to {@link QUEUE_LIMIT_OF_STATES}. A message that holds nothing but `WATCHDOG=1`, or
 * nothing but `STATUS=`, gives way to a later one of its kind: only the latest says anything. All others wait for their turn.
 */
export class SendQueue {
  readonly #outlet: Outlet
  readonly #report: (message: Outgoing, outcome: string) => void
  readonly #waiting: Waiting[] = []
  /** One is on its way, and no other may overtake it. */
  #busy = false

  /** @param report Hears what became of a message that was not sent by the outlet. */
  constructor(outlet: Outlet, report: (message: Outgoing, outcome: string) => void) {
    this.#outlet = outlet
    this.#report = report
  }

  /** Nothing waits and nothing is on its way. */
  get idle(): boolean {
    return !this.#busy && this.#waiting.length === 0
  }

  /**
   * Sends, now or when there is room.
   *
   * @returns `undefined` when the message is sent, as nearly all are. Otherwise a promise that resolves when it
   *   is sent, or when a later one of its kind has taken its place; it is rejected with NotifyError
   *   `ERR_NOTIFY_QUEUE_FULL`, with what the outlet throws, or with the signal's reason.
   * @throws What the outlet throws, or the signal's reason.
   */
  send(message: Outgoing, signal?: AbortSignal): Promise<void> | undefined {
    signal?.throwIfAborted()
    if (!this.idle) return this.#enqueue(message, signal)
    const sent = this.#outlet.trySend(message)
    if (sent === true) return undefined
    return sent === false ? this.#enqueue(message, signal) : this.#follow(sent, signal)
  }

  /**
   * Sends all that waits and then this one, and returns when that is done. What is on its way already is not waited for.
   *
   * @throws What the outlet throws; NotifyError `ERR_NOTIFY_TIMEOUT` if there is no room for so long, `ERR_NOTIFY_UNSUPPORTED` if the
   *   outlet cannot do so.
   */
  sendSync(message: Outgoing, timeoutMs: number): void {
    if (this.#busy && this.#outlet.sendSync === undefined) throw notSynchronous()
    const deadline = performance.now() + timeoutMs
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      try {
        // Where there is no time left, nothing of it was sent, and it goes on waiting.
        if (!this.#sendBy(deadline, next)) break
        next.settle()
      } catch (error) {
        next.settle(error)
      }
      this.#waiting.shift()
      // Each takes its time there, and none is left.
      if (this.#outlet.sendSync !== undefined && performance.now() > deadline) break
    }
    if (this.#waiting.length > 0) {
      // Again, as the outlet may have connected anew, and the waiting ended with its old socket.
      if (!this.#busy) this.#outlet.onceRoom(() => this.#drain())
      throw timedOut()
    }
    this.#outlet.onceRoom(undefined)
    if (!this.#sendBy(deadline, message)) throw timedOut()
  }

  /** @throws NotifyError `ERR_NOTIFY_QUEUE_FULL` if so many messages that carry descriptors could not wait now. */
  checkRoomFor(count: number): void {
    if (this.#waiting.length + count > QUEUE_LIMIT_OF_STATES) throw queueFull(this.#waiting.length)
  }

  /** `false` if there was no room until then: nothing was sent. */
  #sendBy(deadline: number, message: Outgoing): boolean {
    if (this.#outlet.sendSync !== undefined) {
      this.#outlet.sendSync(message, Math.max(deadline - performance.now(), 0))
      return true
    }
    for (let pauseMs = 1; ; pauseMs *= 2) {
      const sent = this.#outlet.trySend(message)
      if (sent === true) return true
      if (sent !== false) {
        // It is on its way. Trying again would send it again.
        this.#follow(sent).catch(() => {})
        throw notSynchronous()
      }
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) return false
      Atomics.wait(PAUSE, 0, 0, Math.min(pauseMs, LONGEST_PAUSE_MS, leftMs))
    }
  }

  async #follow(sent: Promise<void>, signal?: AbortSignal): Promise<void> {
    this.#busy = true
    const ended = sent.finally(() => {
      this.#busy = false
      this.#drain()
    })
    // It is under way and may arrive, but nobody waits for it any more.
    await (signal === undefined ? ended : Promise.race([ended, rejectionOf(signal, ended)]))
  }

  async #enqueue(message: Outgoing, signal?: AbortSignal): Promise<void> {
    // First, and each time: where waiting fails (no descriptor is left, say), this call alone fails, and the next one
    // tries again.
    if (!this.#busy) this.#outlet.onceRoom(() => this.#drain())
    const supersededBy = kindOf(message)
    const older = this.#waiting.find(
      (waiting) => supersededBy !== undefined && waiting.supersededBy === supersededBy,
    )
    const limit = isState(message) ? QUEUE_LIMIT_OF_STATES : QUEUE_LIMIT
    // What takes the place of another needs none of its own; refused, both would be lost.
    if (older === undefined && this.#waiting.length >= limit) {
      this.#report(message, 'is refused, as too many wait')
      throw queueFull(this.#waiting.length)
    }
    if (older !== undefined) this.#leaveOut(older)
    await new Promise<void>((resolve, reject) => {
      const forget =
        signal &&
        onAbort(signal, () => {
          this.#withdraw(waiting)
          waiting.settle(signal.reason)
        })
      const waiting: Waiting = {
        ...message,
        supersededBy,
        settle: (error) => {
          forget?.()
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      this.#waiting.push(waiting)
      this.#keepAlive()
    })
  }

  #drain(): void {
    for (let next = this.#waiting[0]; next !== undefined && !this.#busy; next = this.#waiting[0]) {
      try {
        const sent = this.#outlet.trySend(next)
        if (sent === false) {
          this.#outlet.onceRoom(() => this.#drain())
          break
        }
        if (sent === true) next.settle()
        else this.#follow(sent).then(next.settle, next.settle)
      } catch (error) {
        next.settle(error)
      }
      this.#waiting.shift()
    }
    this.#keepAlive()
  }

  #leaveOut(older: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(older), 1)
    this.#report(older, 'is left out, as a later one waits')
    older.settle()
  }

  #withdraw(waiting: Waiting): void {
    const index = this.#waiting.indexOf(waiting)
    if (index === -1) return
    this.#waiting.splice(index, 1)
    this.#report(waiting, 'is given up')
    if (this.#waiting.length === 0) this.#outlet.onceRoom(undefined)
    this.#keepAlive()
  }

  #keepAlive(): void {
    this.#outlet.keepAlive(!this.#waiting.every(({ background }) => background))
  }
}

const LONGEST_PAUSE_MS = 16
const PAUSE = new Int32Array(new SharedArrayBuffer(4))
const WATCHDOG = Buffer.from('WATCHDOG=1')
const STATUS = Buffer.from('STATUS=')
const NEWLINE = 0x0a
const STATE =
  /^(?:READY|RELOADING|STOPPING|MAINPID|NOTIFYACCESS|FDSTOREREMOVE|WATCHDOG_USEC|EXTEND_TIMEOUT_USEC)=|^WATCHDOG=t/m

function kindOf({ data, fds }: Outgoing): Waiting['supersededBy'] {
  if (fds.length > 0) return undefined
  if (WATCHDOG.equals(data)) return 'WATCHDOG=1'
  const status = STATUS.equals(data.subarray(0, STATUS.length)) && !data.includes(NEWLINE)
  return status ? 'STATUS' : undefined
}

/** What the manager must come to know, or the unit ends up in another state than the service. */
function isState({ data, fds }: Outgoing): boolean {
  return fds.length > 0 || STATE.test(Buffer.from(data).toString('latin1'))
}

function queueFull(count: number): NotifyError {
  return new NotifyError(
    'ERR_NOTIFY_QUEUE_FULL',
    `the service manager takes no messages, and ${count} are waiting for it already`,
  )
}

async function rejectionOf(signal: AbortSignal, ended: Promise<void>): Promise<never> {
  return await new Promise((_, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason))
    ended.then(forget, forget)
  })
}

function timedOut(): NotifyError {
  return new NotifyError(
    'ERR_NOTIFY_TIMEOUT',
    'the service manager has taken no messages for all that time: it is busy or stopped',
  )
}

function notSynchronous(): NotifyError {
  return new NotifyError(
    'ERR_NOTIFY_UNSUPPORTED',
    'this transport cannot send while its caller waits: a message is on its way, and may arrive or not',
  )
}
