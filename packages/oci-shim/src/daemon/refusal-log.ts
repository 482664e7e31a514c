const WINDOW_MS = 60_000
const MOST_TOLD = 20

/** Tells the operator who was refused, and not more often than a log can bear: whoever is refused may come again. */
export class RefusalLog {
  readonly #tell: (message: string) => void
  #windowEndsMs = 0
  #count = 0

  constructor(tell: (message: string) => void) {
    this.#tell = tell
  }

  add(reason: string): void {
    const nowMs = performance.now()
    if (nowMs >= this.#windowEndsMs) {
      this.#windowEndsMs = nowMs + WINDOW_MS
      this.#count = 0
    }
    this.#count++
    if (this.#count <= MOST_TOLD) this.#tell(`refused: ${reason}`)
    if (this.#count === MOST_TOLD) this.#tell('more of them within a minute are not told of')
  }
}
