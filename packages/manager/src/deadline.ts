// A timer of Node's cannot wait longer, and fires at once if asked to.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** A time limit that can be moved: `TimeoutStartSec=`, `TimeoutStopSec=`, `WatchdogSec=`. */
export class Deadline {
  readonly #catchUp: () => void
  readonly #onExpired: () => void
  #timer: NodeJS.Timeout | undefined
  #at = 0

  /**
   * @param catchUp Called before the limit counts as passed: what the service has sent in time may still
   *   move it, although nobody has read it yet.
   */
  constructor(catchUp: () => void, onExpired: () => void) {
    this.#catchUp = catchUp
    this.#onExpired = onExpired
  }

  /** Expires in so many milliseconds from now, whatever was set before. */
  set(ms: number): void {
    const at = performance.now() + ms
    // A timer that is too early looks at the clock and goes on waiting, so a ping costs no new timer.
    if (this.#timer === undefined || at < this.#at) {
      clearTimeout(this.#timer)
      this.#wait(ms)
    }
    this.#at = at
  }

  /** Expires no sooner than in so many milliseconds; does nothing if it is not set. */
  extend(ms: number): void {
    if (this.#timer !== undefined) this.#at = Math.max(this.#at, performance.now() + ms)
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #wait(ms: number): void {
    const timer = setTimeout(
      () => {
        if (this.#at <= performance.now()) this.#catchUp()
        if (this.#timer !== timer) return
        const left = this.#at - performance.now()
        this.#timer = undefined
        if (left > 0) this.#wait(left)
        else this.#onExpired()
      },
      Math.min(ms, LONGEST_TIMER_MS),
    )
    this.#timer = timer
  }
}
