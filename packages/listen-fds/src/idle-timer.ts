const LONGEST_MS = 2 ** 31 - 1

/** The timer behind a stream's `setTimeout`: it runs out when nothing has moved for so long, and never keeps the process alive. */
export class IdleTimer {
  readonly #onTimeout: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(onTimeout: () => void) {
    this.#onTimeout = onTimeout
  }

  /**
   * Starts it anew.
   *
   * @param timeoutMs 0 for none.
   * @throws RangeError `ERR_OUT_OF_RANGE` for what is no time, as node:net does.
   */
  start(timeoutMs: number): void {
    if (!Number.isFinite(timeoutMs) || timeoutMs < 0) {
      const message = `a timeout must be a number of milliseconds from 0 on, not ${String(timeoutMs)}`
      throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' })
    }
    this.stop()
    if (timeoutMs === 0) return
    this.#timer = setTimeout(this.#onTimeout, Math.min(timeoutMs, LONGEST_MS)).unref()
  }

  /** Something has moved. */
  refresh(): void {
    this.#timer?.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
