import { closeFd, closeForeignFds, kindOfFd, pipe } from '@sdbridge/syscalls'
import { closePipe } from './close-pipe.js'
import type { HeldDescriptors } from './held-descriptors.js'
import { onceHangup, type StopWatching } from './once-hangup.js'
import type { QueueEntry } from './queue-entry.js'

export interface BarrierEvents {
  onSent(): void
  /** The service manager's socket takes no descriptors, so this barrier will never be acknowledged. */
  onRefused(): void
}

/**
 * A barrier on its way to the service manager, who alone can acknowledge it: by closing the descriptor.
 *
 * In place of a payload's descriptor a pipe of ours goes up, and theirs is closed, on a thread, when the service manager has closed
 * ours: whatever a payload sends can be made slow to close, and systemd 252 closes it in PID 1 itself. See docs/decisions/0017.
 */
export class BarrierEntry implements QueueEntry {
  readonly data: Buffer = BARRIER
  readonly kind = 'barrier'
  /** Theirs, and both ends of ours. */
  readonly fdCount: number
  readonly #fds: readonly number[]
  readonly #held: HeldDescriptors
  readonly #events: BarrierEvents | undefined
  #pipe: { readFd: number; writeFd: number } | undefined
  #stopWatching: StopWatching | undefined

  /**
   * @param fds Taken over: those that are closed when it is acknowledged.
   * @param held Keeps what has to be kept when the message has left the queue.
   * @param events Of a payload's barrier, with its one descriptor; without, it is a barrier of ours.
   */
  constructor(fds: readonly number[], held: HeldDescriptors, events?: BarrierEvents) {
    this.#fds = fds
    this.fdCount = fds.length + 2
    this.#held = held
    this.#events = events
  }

  fds(): readonly number[] {
    this.#pipe ??= pipe()
    return [this.#pipe.writeFd]
  }

  sent(onAcknowledged: () => void): undefined {
    this.#stopWatching?.()
    const { readFd, writeFd } = this.#pipe!
    closeFd(writeFd)
    const isWatched = this.#held.hold(readFd, this.#fds.length + 1, () => {
      closeFd(readFd)
      closeForeignFds(this.#fds)
      if (isWatched) onAcknowledged()
    })
    if (!isWatched) onAcknowledged()
    this.#events?.onSent()
  }

  abandon(): void {
    this.#stopWatching?.()
    this.#closePipe()
    closeForeignFds(this.#fds)
  }

  /** Whoever waits must not take our close for an acknowledgement: theirs is kept until they give up, or we end. */
  withoutFds(): undefined {
    if (this.#events === undefined) {
      this.abandon()
      return
    }
    this.#stopWatching?.()
    this.#closePipe()
    this.#held.hold(this.#fdOfGivingUp, this.#fds.length, () => closeForeignFds(this.#fds))
    this.#events.onRefused()
  }

  onGivenUp(callback: () => void): void {
    const fd = this.#fdOfGivingUp
    if (this.#stopWatching === undefined && fd !== undefined) {
      this.#stopWatching = onceHangup(fd, callback)
    }
  }

  /** Nobody has the other end of a pipe any more; of anything else, no end could be relied upon. */
  get #fdOfGivingUp(): number | undefined {
    const [fd] = this.#events === undefined ? [] : this.#fds
    try {
      return fd !== undefined && kindOfFd(fd) === 'pipe' ? fd : undefined
    } catch {
      return undefined
    }
  }

  #closePipe(): void {
    if (this.#pipe !== undefined) closePipe(this.#pipe)
    this.#pipe = undefined
  }
}

const BARRIER = Buffer.from('BARRIER=1')
