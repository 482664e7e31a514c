import { closeForeignFds } from '@sdbridge/syscalls'
import type { QueueEntry } from './queue-entry.js'

/** A message that says something, perhaps with descriptors for the store. */
export class NotificationEntry implements QueueEntry {
  readonly data: Buffer
  readonly kind: 'watchdog' | 'status' | 'other'
  readonly #onSent: (fds: readonly number[]) => QueueEntry | undefined
  readonly #onFdsRefused: () => QueueEntry | undefined
  #fds: readonly number[]

  /**
   * @param fds Taken over.
   * @param onSent Called when it has been sent, and not if it never is; takes the descriptors over, and returns what is to follow at once.
   * @param onFdsRefused Makes what is sent in its place, without descriptors.
   */
  constructor(
    data: Buffer,
    kind: NotificationEntry['kind'],
    fds: readonly number[],
    onSent: (fds: readonly number[]) => QueueEntry | undefined,
    onFdsRefused: () => QueueEntry | undefined,
  ) {
    this.data = data
    this.kind = kind
    this.#fds = fds
    this.#onSent = onSent
    this.#onFdsRefused = onFdsRefused
  }

  get fdCount(): number {
    return this.#fds.length
  }

  fds(): readonly number[] {
    return this.#fds
  }

  sent(): QueueEntry | undefined {
    return this.#onSent(this.#take())
  }

  abandon(): void {
    closeForeignFds(this.#take())
  }

  withoutFds(): QueueEntry | undefined {
    this.abandon()
    return this.#onFdsRefused()
  }

  #take(): readonly number[] {
    const fds = this.#fds
    this.#fds = []
    return fds
  }
}
