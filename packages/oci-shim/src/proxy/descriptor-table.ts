import { readdirSync } from 'node:fs'
import { getFileLimit } from '@sdbridge/syscalls'

/** Between two looks at the table, no more are received than this, and a batch. */
const LOOK_AFTER = 64
/** So many may be on their way to the service manager, or to their end. */
const MOST_OF_STRANGERS = 4096

/**
 * This process' table of descriptors, for those who receive some from strangers: with a full one the kernel drops descriptors inside recvmsg(2), which
 * can take as long as their sender likes. It sees what is being closed, too, as long as that takes.
 */
export class DescriptorTable {
  readonly #own: (() => number) | undefined
  #receivedSinceLook = 0
  #atFirst: number | undefined
  #isFilling = false

  /** @param own How many descriptors are no strangers'. Default: as many as there are at the first look. */
  constructor(own?: () => number) {
    this.#own = own
  }

  /**
   * Whether it is so full that no more should be received.
   *
   * @param received How many descriptors have come since the last call.
   * @param again Look in any case.
   */
  isFilling(received: number, again = false): boolean {
    this.#receivedSinceLook += received
    if (this.#receivedSinceLook < LOOK_AFTER && !again) return this.#isFilling
    this.#receivedSinceLook = 0
    this.#isFilling = this.#look(received)
    return this.#isFilling
  }

  #look(received: number): boolean {
    try {
      const count = readdirSync('/proc/self/fd').length
      this.#atFirst ??= count - received
      const own = this.#own?.() ?? this.#atFirst
      const { soft } = getFileLimit()
      // Where many are no strangers', half of the others.
      const most = this.#own === undefined ? soft / 2 : (soft + own) / 2
      return count > Math.min(most, own + MOST_OF_STRANGERS)
    } catch {
      // Not even the listing can be opened.
      return true
    }
  }
}
