import { closeFd, closeForeignFds, kindOfFd, pipe } from '@sdbridge/syscalls'
import type { HeldDescriptors } from './held-descriptors.js'
import { onceHangup, type StopWatching } from './once-hangup.js'
import type { QueueEntry } from './queue-entry.js'

export interface BarrierEvents {
  onSent(): void
  /** The service manager's socket takes no descriptors, so this barrier will never be acknowledged. */
  onRefused(): void
}

/**
 * A payload's barrier, on its way to the service manager, who alone can acknowledge it: by closing the descriptor.
 *
 * In place of the payload's descriptor a pipe of ours goes up, and theirs is closed, on a thread, when the service manager has closed
 * ours: whatever a payload sends can be made slow to close, and systemd 252 closes it in PID 1 itself. See docs/decisions/0017.
 */
export class BarrierEntry implements QueueEntry {
  readonly data: Buffer = BARRIER
  readonly kind = 'barrier'
  /** Theirs, and both ends of ours. */
  readonly fdCount = 3
  readonly #fd: number
  readonly #held: HeldDescriptors
  readonly #events: BarrierEvents
  #pipe: { readFd: number; writeFd: number } | undefined
  #stopWatching: StopWatching | undefined

  /**
   * @param fd Taken over.
   * @param held Keeps what has to be kept when the message has left the queue.
   */
  constructor(fd: number, held: HeldDescriptors, events: BarrierEvents) {
    this.#fd = fd
    this.#held = held
    this.#events = events
  }

  fds(): readonly number[] {
    this.#pipe ??= pipe()
    return [this.#pipe.writeFd]
  }

  sent(): void {
    this.#stopWatching?.()
    const { readFd, writeFd } = this.#pipe!
    closeFd(writeFd)
    this.#held.hold(readFd, 2, () => {
      closeFd(readFd)
      closeForeignFds([this.#fd])
    })
    this.#events.onSent()
  }

  abandon(): void {
    this.#stopWatching?.()
    this.#closePipe()
    closeForeignFds([this.#fd])
  }

  /** Whoever waits must not take our close for an acknowledgement: theirs is kept until they give up, or we end. */
  withoutFds(): undefined {
    this.#stopWatching?.()
    this.#closePipe()
    const watched = this.#tellsOfGivingUp ? this.#fd : undefined
    this.#held.hold(watched, 1, () => closeForeignFds([this.#fd]))
    this.#events.onRefused()
  }

  onGivenUp(callback: () => void): void {
    if (this.#stopWatching === undefined && this.#tellsOfGivingUp) {
      this.#stopWatching = onceHangup(this.#fd, callback)
    }
  }

  /** Nobody has the other end of a pipe any more; of anything else, no end could be relied upon. */
  get #tellsOfGivingUp(): boolean {
    try {
      return kindOfFd(this.#fd) === 'pipe'
    } catch {
      return false
    }
  }

  #closePipe(): void {
    if (this.#pipe === undefined) return
    closeFd(this.#pipe.readFd)
    closeFd(this.#pipe.writeFd)
    this.#pipe = undefined
  }
}

const BARRIER = Buffer.from('BARRIER=1')
