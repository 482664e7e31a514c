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
 * A pipe goes up itself. Anything else could be slow to close (systemd 252 was stopped by a socket with SO_LINGER for as long as its
 * sender chose), so a pipe of ours goes up in its place, and the payload's is closed here when that pipe is.
 */
export class BarrierEntry implements QueueEntry {
  readonly data: Buffer = BARRIER
  readonly kind = 'barrier'
  readonly #fd: number
  readonly #isPipe: boolean
  readonly #held: HeldDescriptors
  readonly #events: BarrierEvents
  #substitute: { readFd: number; writeFd: number } | undefined
  #stopWatching: StopWatching | undefined

  /**
   * @param fd Taken over.
   * @param held Keeps what has to be kept when the message has left the queue.
   */
  constructor(fd: number, held: HeldDescriptors, events: BarrierEvents) {
    this.#fd = fd
    this.#isPipe = isPipe(fd)
    this.#held = held
    this.#events = events
  }

  get fdCount(): number {
    return this.#isPipe ? 1 : 3
  }

  fds(): readonly number[] {
    if (this.#isPipe) return [this.#fd]
    this.#substitute ??= pipe()
    return [this.#substitute.writeFd]
  }

  sent(): void {
    if (this.#substitute === undefined) this.abandon()
    else this.#holdUntilReleased(this.#substitute)
    this.#events.onSent()
  }

  abandon(): void {
    this.#stopWatching?.()
    this.#closeSubstitute()
    closeForeignFds([this.#fd])
  }

  /** Nobody will acknowledge it, and whoever waits must not take our close for that: it is kept until they give up, or we end. */
  withoutFds(): undefined {
    this.#stopWatching?.()
    this.#closeSubstitute()
    this.#held.hold(this.#isPipe ? this.#fd : undefined, 1, () => closeForeignFds([this.#fd]))
    this.#events.onRefused()
  }

  onGivenUp(callback: () => void): void {
    // Of anything else, no end could be relied upon.
    if (this.#isPipe) this.#stopWatching ??= onceHangup(this.#fd, callback)
  }

  #holdUntilReleased({ readFd, writeFd }: { readFd: number; writeFd: number }): void {
    closeFd(writeFd)
    this.#held.hold(readFd, 2, () => {
      closeFd(readFd)
      closeForeignFds([this.#fd])
    })
  }

  #closeSubstitute(): void {
    if (this.#substitute === undefined) return
    closeFd(this.#substitute.readFd)
    closeFd(this.#substitute.writeFd)
    this.#substitute = undefined
  }
}

const BARRIER = Buffer.from('BARRIER=1')

function isPipe(fd: number): boolean {
  try {
    return kindOfFd(fd) === 'pipe'
  } catch {
    return false
  }
}
