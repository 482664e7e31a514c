/** The answer of a health check: `'healthy'`, or why it is not taken for that. */
export type Health = 'healthy' | Error

/** Asks a service whether it is healthy, one question at a time, and takes an answer only if it comes in time. */
export class HealthCheck {
  readonly #ask: () => boolean | Promise<boolean>
  /** Asked, and not answered yet. */
  #open = false

  constructor(ask: () => boolean | Promise<boolean>) {
    this.#ask = ask
  }

  /** Calls back exactly once: at once where the answer is no promise, and otherwise within `limitMs`. */
  check(limitMs: number, onHealth: (health: Health) => void): void {
    if (this.#open) {
      onHealth(new Error('healthy() has not answered the question before this one'))
      return
    }
    let answer: unknown
    try {
      answer = this.#ask()
    } catch (error) {
      onHealth(failed(error))
      return
    }
    if (isPromise(answer)) this.#await(answer, limitMs, onHealth)
    else onHealth(judge(answer))
  }

  #await(answer: PromiseLike<unknown>, limitMs: number, onHealth: (health: Health) => void): void {
    this.#open = true
    let settled = false
    const settle = (health: Health): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      onHealth(health)
    }
    const late = new Error(`healthy() has not answered within ${Math.round(limitMs)} ms`)
    const timer = setTimeout(() => settle(late), limitMs).unref()
    const answered = (health: Health): void => {
      this.#open = false
      settle(health)
    }
    answer.then(
      (value) => answered(judge(value)),
      (error: unknown) => answered(failed(error)),
    )
  }
}

function judge(answer: unknown): Health {
  return answer === true ? 'healthy' : new Error(`healthy() said ${String(answer)}`)
}

function failed(error: unknown): Error {
  return new Error('healthy() failed', { cause: error })
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
