/** What waits for the service manager: one message. */
export interface QueueEntry {
  readonly data: Buffer
  /**
   * A lone `WATCHDOG=1` or a lone status gives way to a later one. What comes after a barrier takes the place of nothing that
   * comes before it: the barrier says that it was read.
   */
  readonly kind: 'watchdog' | 'status' | 'barrier' | 'other'
  /** The descriptors that go along; called for each attempt, and may throw where some have to be made first. */
  fds(): readonly number[]
  /** How many descriptors it holds. */
  readonly fdCount: number
  /**
   * It was sent: lets go of what it holds.
   *
   * @param onAcknowledged Called, of a barrier, when the service manager has acknowledged it, or nobody can tell when it will.
   * @returns What is to be sent next, before all that waits.
   */
  sent(onAcknowledged: () => void): QueueEntry | undefined
  /** It will not be sent: lets go of what it holds. */
  abandon(): void
  /**
   * The service manager's socket takes no descriptors.
   *
   * @returns The same without them, or `undefined` if nothing of it can go.
   */
  withoutFds(): QueueEntry | undefined
  /** Calls back, once, if the one who waits for it gives up before it is sent. */
  onGivenUp?(callback: () => void): void
}
