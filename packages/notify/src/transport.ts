import type { Credentials } from '@sdbridge/syscalls'
import type { NotifyAddress } from './address.js'

/** One notification on its way to the service manager. */
export interface Outgoing {
  readonly data: Uint8Array
  /** Borrowed from the caller until the notification is sent or given up. */
  readonly fds: readonly number[]
  /** The sender to claim; `undefined` leaves it to the kernel to say who sends. */
  readonly credentials?: Credentials | undefined
  /** Nobody waits for it: it does not keep the process alive. */
  readonly background?: true
}

/** A way of sending notifications. */
export interface Transport {
  /** For messages and diagnostics, such as `addon`. */
  readonly name: string
  /** Opens the way to one service manager, lazily: nothing is opened before the first notification. */
  open(address: NotifyAddress): Outlet
}

/** An open way to one service manager. It sends one notification at a time; its user keeps the order. */
export interface Outlet {
  /** Whether descriptors, and so barriers, can go this way. */
  readonly carriesFds: boolean
  /** Whether another sender can be claimed this way. */
  readonly carriesCredentials: boolean
  /**
   * Sends one notification without waiting for anything.
   *
   * @returns `true` when it is sent; `false` if the receiver has no room for it now: nothing was sent; or a promise, if
   *   the sending takes its time: nothing else may be sent before that is settled.
   * @throws What the system said, with its `code`; the promise is rejected with the same.
   */
  trySend(message: Outgoing): boolean | Promise<void>
  /** Calls back, once, when there may be room again after a `false`; `undefined` ends the waiting. */
  onceRoom(callback: (() => void) | undefined): void
  /** Whether waiting for room keeps the process alive. */
  keepAlive(on: boolean): void
  /**
   * Sends one notification and returns when that is done: for outlets whose `trySend` gives a promise.
   *
   * @param timeoutMs After so long it throws an error with `code` `ETIMEDOUT`.
   */
  sendSync?(message: Outgoing, timeoutMs: number): void
  /** Gives back what is open. Only called when nothing waits and nothing is on its way; a later `trySend` opens it again. */
  close(): void
}
