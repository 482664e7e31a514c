import { native } from './native.js'
import { type Signal, SIGRTMAX, SIGRTMIN, signalName, signalNumber } from './signal-number.js'
import { check, invalid } from './system-error.js'
import { throwLater } from './throw-later.js'

const watchers = new Map<number, Set<() => void>>()

/**
 * Catches a real-time signal, such as systemd's and docker's `SIGRTMIN+3` (signal(7)). Node cannot: `process.on` accepts
 * the name, and the signal then ends the process. For all other signals `process.on` is the way.
 *
 * Like a listener of `process.on`, it does not keep the process alive. In a Worker it works as well, but a signal has
 * one thread of the process that catches it.
 */
export class SignalWatcher {
  readonly #number: number
  readonly #onSignal: () => void
  #open = true

  /**
   * @param onSignal Called once for each signal that arrived. What it throws becomes an `'uncaughtException'`.
   * @throws TypeError for a signal that is no real-time signal; SystemError `EBUSY` if another thread catches it, `EINVAL`
   *   if the C library keeps it for itself.
   */
  constructor(signal: Signal, onSignal: () => void) {
    this.#number = signalNumber(signal)
    if (this.#number < SIGRTMIN || this.#number > SIGRTMAX) {
      throw invalid(
        `${signalName(this.#number)} is no real-time signal; catch it with process.on()`,
      )
    }
    this.#onSignal = () => onSignal()
    const others = watchers.get(this.#number)
    if (others === undefined) this.#catch()
    else others.add(this.#onSignal)
  }

  /** Ends the watching. After the last watcher's end the signal does what it did before, which is to end the
   * process, and so does one that was sent and has not arrived yet. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    const all = watchers.get(this.#number)!
    all.delete(this.#onSignal)
    if (all.size > 0) return
    watchers.delete(this.#number)
    native().releaseSignal(this.#number)
  }

  #catch(): void {
    const all = new Set([this.#onSignal])
    const result = native().catchSignal(this.#number, (count) => {
      for (let each = 0; each < count; each++)
        for (const onSignal of [...all]) deliver(onSignal, all)
    })
    check(result, 'sigaction', signalName(this.#number))
    watchers.set(this.#number, all)
  }
}

// One that throws must not keep the signal from the others.
function deliver(onSignal: () => void, all: ReadonlySet<() => void>): void {
  if (!all.has(onSignal)) return
  try {
    onSignal()
  } catch (error) {
    throwLater(error)
  }
}
