import { onceHangup } from './once-hangup.js'

/** Descriptors that are kept after their message has left the queue, until somebody else has closed his end. */
export class HeldDescriptors {
  readonly #onFewer: () => void
  readonly #releases = new Set<() => void>()
  #count = 0

  /** @param onFewer Called when some have been let go. */
  constructor(onFewer: () => void) {
    this.#onFewer = onFewer
  }

  /** How many there are. */
  get count(): number {
    return this.#count
  }

  /**
   * Keeps descriptors until the other end of a pipe is closed, or until everything ends.
   *
   * @param pipeFd Our end of the pipe; `undefined` if there is none that tells.
   * @param close Closes them.
   * @returns Whether the end of the pipe will be heard of.
   */
  hold(pipeFd: number | undefined, count: number, close: () => void): boolean {
    this.#count += count
    const release = (): void => {
      if (!this.#releases.delete(release)) return
      stopWatching?.()
      this.#count -= count
      close()
    }
    this.#releases.add(release)
    const stopWatching =
      pipeFd === undefined
        ? undefined
        : onceHangup(pipeFd, () => {
            release()
            this.#onFewer()
          })
    return stopWatching !== undefined
  }

  close(): void {
    for (const release of [...this.#releases]) release()
  }
}
