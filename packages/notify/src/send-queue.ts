import { NotifyError } from './errors.js'

/** One notification on its way to the service manager. */
export interface Outgoing {
  data: Uint8Array
  /** Borrowed from the caller until the notification is sent or given up. */
  fds: readonly number[]
}

/** The way out: a socket, seen by the queue. */
export interface Outlet {
  /** Sends one notification without waiting; `false` if the receiver has no room for it now. */
  trySend(message: Outgoing): boolean
  /** Calls back, once, when the receiver may have room again; `undefined` ends the waiting. */
  onceRoom(callback: (() => void) | undefined): void
}

interface Waiting extends Outgoing {
  /** Which later message makes this one pointless; `undefined` if none does. */
  supersededBy: 'WATCHDOG=1' | 'STATUS' | undefined
  settle: (error?: unknown) => void
}

/** As many messages as the kernel's own queue holds under systemd (net.unix.max_dgram_qlen). */
export const QUEUE_LIMIT = 512

/**
 * Keeps notifications in order while the service manager is busy, and no more of them than
 * {@link QUEUE_LIMIT}. A message that holds nothing but `WATCHDOG=1`, or nothing but `STATUS=`, gives way to
 * a later one of its kind: only the latest says anything. All others wait for their turn.
 */
export class SendQueue {
  readonly #outlet: Outlet
  readonly #waiting: Waiting[] = []

  constructor(outlet: Outlet) {
    this.#outlet = outlet
  }

  /**
   * Sends, now or when there is room.
   *
   * @returns `undefined` when the message is sent, as nearly all are. Otherwise a promise that resolves when it
   *   is sent, or when a later one of its kind has taken its place; it is rejected with NotifyError
   *   `ERR_NOTIFY_QUEUE_FULL`, or with what the outlet throws.
   * @throws What the outlet throws, or the signal's reason.
   */
  send(message: Outgoing, signal?: AbortSignal): Promise<void> | undefined {
    signal?.throwIfAborted()
    if (this.#waiting.length === 0 && this.#outlet.trySend(message)) return undefined
    return this.#enqueue(message, signal)
  }

  async #enqueue(message: Outgoing, signal?: AbortSignal): Promise<void> {
    // First, and each time: where waiting fails (no descriptor is left, say), this call alone fails, and the next one
    // tries again.
    this.#outlet.onceRoom(() => this.#drain())
    const supersededBy = kindOf(message)
    this.#supersede(supersededBy)
    if (this.#waiting.length >= QUEUE_LIMIT) {
      throw new NotifyError(
        'ERR_NOTIFY_QUEUE_FULL',
        `the service manager takes no messages, and ${QUEUE_LIMIT} are waiting for it already`,
      )
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.#withdraw(waiting)
        waiting.settle(signal!.reason)
      }
      const waiting: Waiting = {
        ...message,
        supersededBy,
        settle: (error) => {
          signal?.removeEventListener('abort', onAbort)
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiting)
    })
  }

  #drain(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      try {
        if (!this.#outlet.trySend(next)) {
          this.#outlet.onceRoom(() => this.#drain())
          return
        }
        next.settle()
      } catch (error) {
        next.settle(error)
      }
      this.#waiting.shift()
    }
  }

  #supersede(kind: Waiting['supersededBy']): void {
    if (kind === undefined) return
    const index = this.#waiting.findIndex((older) => older.supersededBy === kind)
    if (index !== -1) this.#waiting.splice(index, 1)[0]!.settle()
  }

  #withdraw(waiting: Waiting): void {
    const index = this.#waiting.indexOf(waiting)
    if (index === -1) return
    this.#waiting.splice(index, 1)
    // Otherwise the waiting alone would keep the process alive.
    if (this.#waiting.length === 0) this.#outlet.onceRoom(undefined)
  }
}

const WATCHDOG = Buffer.from('WATCHDOG=1')
const STATUS = Buffer.from('STATUS=')
const NEWLINE = 0x0a

function kindOf({ data, fds }: Outgoing): Waiting['supersededBy'] {
  if (fds.length > 0) return undefined
  if (WATCHDOG.equals(data)) return 'WATCHDOG=1'
  const status = STATUS.equals(data.subarray(0, STATUS.length)) && !data.includes(NEWLINE)
  return status ? 'STATUS' : undefined
}
