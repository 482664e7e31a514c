import { performance } from 'node:perf_hooks'

/** How much more time is asked for at once: short, so that a service that hangs does not have it for long. */
const SPAN_MS = 10_000

/** Asks for more time, again and again, while something works, and no longer than was agreed. */
export class TimeoutExtension {
  readonly #deadline: number
  readonly #ask: (usec: number) => void
  readonly #timer: NodeJS.Timeout

  /**
   * @param limitMs For how long in all.
   * @param ask Sends `EXTEND_TIMEOUT_USEC=`. It is called at half of each span, and not now: see {@link first}.
   */
  constructor(limitMs: number, ask: (usec: number) => void) {
    this.#deadline = performance.now() + limitMs
    this.#ask = ask
    this.#timer = setInterval(() => this.#extend(), SPAN_MS / 2).unref()
  }

  /** What to ask for at the beginning, in µs, beside what else is said then; `undefined` if there is nothing to ask for. */
  get first(): number | undefined {
    return this.#span()
  }

  end(): void {
    clearInterval(this.#timer)
  }

  #extend(): void {
    const usec = this.#span()
    if (usec === undefined) this.end()
    else this.#ask(usec)
  }

  #span(): number | undefined {
    const ms = Math.min(SPAN_MS, this.#deadline - performance.now())
    return ms > 0 ? Math.ceil(ms * 1000) : undefined
  }
}
