import { NotifyError } from './errors.js'

/** One notification on its way to the service manager. */
export interface Outgoing {
  data: Uint8Array
  /** Borrowed from the caller until the notification is sent or given up. */
  fds: readonly number[]
}

/** Sends one notification without waiting; `false` if the receiver has no room for it now. */
export type TrySend = (message: Outgoing) => boolean

interface Waiting extends Outgoing {
  /** Which later message makes this one pointless; `undefined` if none does. */
  supersededBy: 'WATCHDOG=1' | 'STATUS' | undefined
  /** Everybody whose notification this message is, or has taken the place of. */
  callers: Caller[]
}

interface Caller {
  sent: () => void
  failed: (error: unknown) => void
}

/** As many messages as the kernel's own queue holds under systemd (net.unix.max_dgram_qlen). */
export const QUEUE_LIMIT = 512

/**
 * Keeps notifications in order while the service manager is busy, and no more of them than
 * {@link QUEUE_LIMIT}. A message that holds nothing but `WATCHDOG=1`, or nothing but `STATUS=`, gives way to
 * a later one of its kind: only the latest says anything. All others wait for their turn.
 */
export class SendQueue {
  readonly #trySend: TrySend
  readonly #onceRoom: (callback: (() => void) | undefined) => void
  readonly #waiting: Waiting[] = []

  /** `onceRoom` calls back, once, when the receiver may have room again; `undefined` cancels that. */
  constructor(trySend: TrySend, onceRoom: (callback: (() => void) | undefined) => void) {
    this.#trySend = trySend
    this.#onceRoom = onceRoom
  }

  get length(): number {
    return this.#waiting.length
  }

  /**
   * Sends, now or when there is room.
   *
   * @throws NotifyError `ERR_NOTIFY_QUEUE_FULL`, or what `trySend` throws.
   */
  async send(message: Outgoing, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#waiting.length === 0 && this.#trySend(message)) return

    const waiting: Waiting = { ...message, supersededBy: kindOf(message), callers: [] }
    this.#supersede(waiting)
    if (this.#waiting.length >= QUEUE_LIMIT) {
      throw new NotifyError(
        'ERR_NOTIFY_QUEUE_FULL',
        `the service manager takes no messages, and ${QUEUE_LIMIT} are waiting for it already`,
      )
    }
    this.#waiting.push(waiting)
    if (this.#waiting.length === 1) this.#onceRoom(() => this.#drain())
    await this.#outcome(waiting, signal)
  }

  #drain(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      try {
        if (!this.#trySend(next)) {
          this.#onceRoom(() => this.#drain())
          return
        }
        for (const caller of next.callers) caller.sent()
      } catch (error) {
        for (const caller of next.callers) caller.failed(error)
      }
      this.#waiting.shift()
    }
  }

  #supersede(newer: Waiting): void {
    if (newer.supersededBy === undefined) return
    const index = this.#waiting.findIndex((older) => older.supersededBy === newer.supersededBy)
    if (index === -1) return
    const [older] = this.#waiting.splice(index, 1)
    newer.callers.push(...older!.callers)
  }

  #outcome(waiting: Waiting, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#withdraw(caller)
        caller.failed(signal!.reason)
      }
      const settle = (settled: () => void): void => {
        signal?.removeEventListener('abort', onAbort)
        settled()
      }
      const caller: Caller = {
        sent: () => settle(resolve),
        failed: (error) => settle(() => reject(error)),
      }
      waiting.callers.push(caller)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  // The message goes only when nobody else has a share in it.
  #withdraw(caller: Caller): void {
    const index = this.#waiting.findIndex((waiting) => waiting.callers.includes(caller))
    const waiting = this.#waiting[index]
    if (waiting === undefined) return
    waiting.callers.splice(waiting.callers.indexOf(caller), 1)
    if (waiting.callers.length > 0) return
    this.#waiting.splice(index, 1)
    if (this.#waiting.length === 0) this.#onceRoom(undefined)
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
