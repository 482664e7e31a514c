/**
 * The receiving half of what messages come from. It takes what has arrived in batches, one in each turn of the event loop, so that
 * a flood starves nobody. Paused, it leaves messages in the kernel's queue, where senders wait.
 */
export abstract class BatchReceiver {
  readonly #onResume: () => void
  #state: 'receiving' | 'paused' | 'stopped' = 'receiving'

  /** Made by `receive` of what the messages come from. `onResume` is told when {@link waiting} is true again. */
  constructor(onResume: () => void) {
    this.#onResume = onResume
  }

  /** Whether it wants to hear when something arrives. */
  get waiting(): boolean {
    return this.#state === 'receiving'
  }

  /** Leaves what arrives in the kernel's queue until `resume`. */
  pause(): void {
    if (this.#state === 'receiving') this.#state = 'paused'
  }

  resume(): void {
    if (this.#state !== 'paused') return
    this.#state = 'receiving'
    this.#onResume()
  }

  /** Ends the receiving for good. What has arrived and was not delivered is lost with the descriptor. */
  stop(): void {
    this.#state = 'stopped'
  }

  /**
   * Takes one batch, if something has arrived, and delivers it before it returns. It is called when the descriptor is ready; a
   * caller may at any time, such as before a decision that a waiting message could change.
   *
   * @param hangup The kernel said that nothing more can arrive: another holder has shut the socket down.
   * @returns How many messages that were.
   */
  abstract readBatch(hangup?: boolean): number

  /** Whether nobody wants to hear of anything: closed by a callback, say. */
  protected get stopped(): boolean {
    return this.#state === 'stopped'
  }
}
