/**
 * Brings together what happens to a whole machine and what every rival does meanwhile: it happens once, when all who
 * take part have come.
 */
export class Gathering {
  #expected: number
  #actions: (() => Promise<void>)[] = []
  #around: Around | undefined
  readonly #over: Promise<void>
  #settle: (result: Promise<void>) => void = () => {}

  /** @param expected How many take part. */
  constructor(expected: number) {
    this.#expected = expected
    this.#over = new Promise((resolve) => (this.#settle = resolve))
  }

  /** Resolves with what the action did, which was run when all had come. */
  async meanwhile<Result>(around: Around, action: () => Promise<Result>): Promise<Result> {
    let outcome: Promise<Result> | undefined
    this.#around = around
    this.#actions.push(async () => {
      outcome = action()
      await outcome.catch(() => {})
    })
    this.#startIfAllAreHere()
    await this.#over
    if (outcome === undefined) throw new Error('what was to happen around it has not run it')
    return outcome
  }

  /** For one who will not come, or has been. */
  leave(): void {
    this.#expected -= 1
    this.#startIfAllAreHere()
  }

  #startIfAllAreHere(): void {
    const around = this.#around
    if (around === undefined || this.#actions.length < this.#expected) return
    this.#around = undefined
    const all = async () => {
      await Promise.all(this.#actions.map((action) => action()))
    }
    this.#settle(around(all))
  }
}

/** Makes something happen, and runs the action in the middle of it. */
export type Around = (action: () => Promise<void>) => Promise<void>
