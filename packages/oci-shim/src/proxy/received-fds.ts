import { closeForeignFds } from '@sdbridge/syscalls'

/** The descriptors that came with one message: each is taken by somebody, or closed. */
export class ReceivedFds {
  readonly #isBorrowed: boolean
  #fds: readonly number[]

  /** @param isBorrowed Whoever has received them closes them. */
  constructor(fds: readonly number[], isBorrowed = false) {
    this.#fds = fds
    this.#isBorrowed = isBorrowed
  }

  get count(): number {
    return this.#fds.length
  }

  /** To look at; they stay here. */
  get all(): readonly number[] {
    return this.#fds
  }

  /** Takes all of them over. */
  take(): readonly number[] {
    const fds = this.#fds
    this.#fds = []
    return fds
  }

  /** Closes what nobody took, without waiting for what a payload may have made slow to close. */
  close(): void {
    const fds = this.take()
    if (!this.#isBorrowed) closeForeignFds(fds)
  }
}
