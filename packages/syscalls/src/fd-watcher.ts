import { AsyncResource } from 'node:async_hooks'
import { native } from './native.js'
import { check } from './system-error.js'

/** What a descriptor is ready for. */
export interface Readiness {
  /** Something can be read, or a listening socket has a connection, or a watched process has ended. */
  readable: boolean
  /** Something can be written. */
  writable: boolean
  /** The other end is closed. Reported whatever was asked for. */
  hangup: boolean
  /**
   * The descriptor has an error, such as a pipe without readers. Reported whatever was asked for; also when
   * arming in `onReady` turns out to have failed, because the descriptor is closed, say.
   */
  error: boolean
}

/** What to wait for; `'hangup'` asks for nothing but what is reported anyway. */
export type Interest = 'readable' | 'writable' | 'hangup'

const EPOLLIN = 1
const EPOLLOUT = 4
const EPOLLERR = 8
const EPOLLHUP = 16
const INTEREST: Record<Interest, number> = { readable: EPOLLIN, writable: EPOLLOUT, hangup: 0 }
const GENERATION_MASK = 0x7ff_ffff

interface Registration {
  generation: number
  onEvents: (events: number) => void
}

const registrations = new Map<number, Registration>()
let poller: number | undefined
let generations = 0
let keepingAlive = 0

/**
 * Waits for a descriptor that Node cannot wait for. One shot: after each call of `onReady` it is silent
 * until armed again, so that its owner sets the pace; and at most one call in each turn of the event loop,
 * so that a descriptor that is always ready starves nobody. Keeps the process alive until closed or unref'd.
 *
 * A descriptor has one watcher at most; its owner closes the watcher before the descriptor.
 */
export class FdWatcher {
  readonly #fd: number
  readonly #generation: number
  #open = true
  #keepsAlive = true
  /** Set from a call of `onReady` to the end of that turn of the event loop. */
  #turn: NodeJS.Immediate | undefined
  #armNextTurn: number | undefined

  /** @throws Error `EEXIST` if the descriptor has a watcher already. */
  constructor(fd: number, onReady: (readiness: Readiness) => void) {
    if (registrations.has(fd)) {
      const error = new Error(`descriptor ${fd} is watched already; close its watcher first`)
      throw Object.assign(error, { code: 'EEXIST' })
    }
    poller ??= startPolling()
    this.#fd = fd
    // A new number for each watcher: an event of the descriptor's last owner must not reach this one.
    this.#generation = generations = (generations + 1) & GENERATION_MASK
    const resource = new AsyncResource('SDBRIDGE_FD_WATCHER')
    registrations.set(fd, {
      generation: this.#generation,
      onEvents: (events) => {
        this.#turn ??= setImmediate(() => this.#endTurn())
        resource.runInAsyncScope(onReady, undefined, readinessOf(events))
      },
    })
    countAlive(+1)
  }

  /**
   * Calls `onReady` once, when the descriptor is ready (or at once, if it is).
   *
   * @throws SystemError `EPERM` for files that are always ready, such as regular ones; `EBADF`. Not in the
   *   turn of an `onReady`, where the arming happens later: then `onReady` is called with `error`.
   */
  arm(...interests: readonly Interest[]): void {
    if (!this.#open) return
    const events = interests.reduce((bits, interest) => bits | INTEREST[interest], 0)
    if (this.#turn === undefined) this.#watch(events)
    else this.#armNextTurn = events
  }

  /** Ends the watching; no `onReady` comes after this returns. The descriptor stays open. */
  close(): void {
    if (!this.#open) return
    this.unref()
    this.#open = false
    clearImmediate(this.#turn)
    registrations.delete(this.#fd)
    native().unwatch(poller!, this.#fd)
  }

  /** Lets the process end although this watcher is open. */
  unref(): this {
    if (this.#open && this.#keepsAlive) {
      this.#keepsAlive = false
      countAlive(-1)
    }
    return this
  }

  /** Takes back `unref`. */
  ref(): this {
    if (this.#open && !this.#keepsAlive) {
      this.#keepsAlive = true
      countAlive(+1)
    }
    return this
  }

  // Node takes the events of other threads until none is left, before it looks at timers and at its own
  // descriptors. Armed at once, the next event would be among them.
  #endTurn(): void {
    const events = this.#armNextTurn
    this.#turn = this.#armNextTurn = undefined
    if (events === undefined) return
    // Whoever armed it has gone on, so an error cannot be thrown to them: the owner finds out what it is when
    // it uses the descriptor, which somebody else has closed, most likely.
    const result = native().watch(poller!, this.#fd, this.#generation, events)
    if (result < 0) registrations.get(this.#fd)?.onEvents(EPOLLERR)
  }

  #watch(events: number): void {
    const result = native().watch(poller!, this.#fd, this.#generation, events)
    check(result, 'epoll_ctl', `fd ${this.#fd}`)
  }
}

function startPolling(): number {
  const onReady = (fd: number, generation: number, events: number): void => {
    const registration = registrations.get(fd)
    if (registration?.generation === generation) registration.onEvents(events)
  }
  return check(native().startPolling(onReady), 'epoll_create1')
}

function countAlive(change: 1 | -1): void {
  const before = keepingAlive
  keepingAlive += change
  if (before === 0 || keepingAlive === 0) native().keepAlive(poller!, keepingAlive === 0 ? 0 : 1)
}

function readinessOf(events: number): Readiness {
  return {
    readable: (events & EPOLLIN) !== 0,
    writable: (events & EPOLLOUT) !== 0,
    hangup: (events & EPOLLHUP) !== 0,
    error: (events & EPOLLERR) !== 0,
  }
}
