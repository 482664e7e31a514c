export interface PullExtensionOptions {
  /** For how long in all. */
  limitMs: number
  /** Whether the container is there, or the client gone. */
  isOver: () => boolean
  /** Asks the service manager for this much time from now on. */
  extend: (usec: number) => void
  /** Takes back what `extend` has said of the reason; called once, and only if that was called. */
  withdraw: () => void
  /** Before that, a pull is none that anybody notices. */
  delayMs?: number
  /** How often. */
  intervalMs?: number
}

/** As podman does it for itself: enough that one message may be lost, and little if this process hangs. */
const SPAN_MS = 30_000

/** Extends the start timeout while an image is pulled, which may take longer than any service does to start. */
export class PullExtension {
  readonly #options: Required<PullExtensionOptions>
  readonly #start = performance.now()
  #timer: NodeJS.Timeout
  #hasExtended = false

  constructor(options: PullExtensionOptions) {
    this.#options = { delayMs: 3000, intervalMs: 10_000, ...options }
    this.#timer = setTimeout(() => this.#tick(), this.#options.delayMs)
  }

  /** Sees whether it is over, as by a message of the container it may be, before its turn. */
  look(): void {
    if (!this.#options.isOver()) return
    this.end()
    if (this.#hasExtended) this.#options.withdraw()
    this.#hasExtended = false
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #tick(): void {
    const { limitMs, isOver, extend, intervalMs } = this.#options
    if (isOver()) return this.look()
    const restMs = this.#start + limitMs - performance.now()
    if (restMs <= 0) return
    this.#hasExtended = true
    extend(Math.ceil(Math.min(SPAN_MS, restMs) * 1000))
    this.#timer = setTimeout(() => this.#tick(), intervalMs)
  }
}
