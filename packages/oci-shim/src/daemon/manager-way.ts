import type { Outgoing } from '@sdbridge/notify/relay'
import { closeFd, pipe } from '@sdbridge/syscalls'
import createDebug from 'debug'
import { closePipe } from '../proxy/close-pipe.js'
import { managerOutlet } from '../proxy/manager-outlet.js'
import { onceHangup } from '../proxy/once-hangup.js'

const debug = createDebug('sdbridge:daemon:manager')

const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1000

/** What only the message itself, or whom it claims to be from, can be the reason of; everything else may be over later. */
const OF_THE_MESSAGE = new Set([
  'EMSGSIZE',
  'EINVAL',
  'E2BIG',
  'ESRCH',
  'EPERM',
  'EBADF',
  'EOPNOTSUPP',
])

/**
 * The one way of all containers to the service manager. While the service manager is busy, stopped or gone, whoever wants to send waits in line, and
 * what containers say stays in the kernel.
 */
export class ManagerWay {
  readonly #outlet
  /** In the order in which they came. */
  #waiting = new Set<() => void>()
  #isBlocked = false
  #timer: NodeJS.Timeout | undefined
  #pauseMs = FIRST_PAUSE_MS
  /** What is to be called when the service manager has read all that was sent before. */
  #afterAll: (() => void)[] = []
  #pipe: { readFd: number; writeFd: number } | undefined
  #isBarrierOut = false
  #isClosed = false

  /**
   * @param upstream As in `$NOTIFY_SOCKET`.
   * @throws NotifyError `ERR_NOTIFY_INVALID_ADDRESS`.
   */
  constructor(upstream: string) {
    this.#outlet = managerOutlet(upstream)
    this.#outlet.keepAlive(false)
  }

  /**
   * Sends a message without waiting.
   *
   * @returns `false` if nothing was sent, because the service manager takes nothing now: {@link onceOpen} tells when to try again.
   * @throws SystemError for what this message is the reason of: `ESRCH` if there is no such process as it claims to be from.
   */
  trySend(message: Outgoing): boolean {
    if (this.#isBlocked) return false
    try {
      if (this.#outlet.trySend(message)) {
        this.#pauseMs = FIRST_PAUSE_MS
        return true
      }
      this.#isBlocked = true
      this.#outlet.onceRoom(() => this.#open())
    } catch (error) {
      const { code = '', syscall } = error as NodeJS.ErrnoException
      if (syscall === 'sendmsg' && OF_THE_MESSAGE.has(code)) throw error
      this.#tryLater(error as Error)
    }
    return false
  }

  /** Calls back, once, when it is worth while to try again: in turn, and not if those before have filled the service manager's queue again. */
  onceOpen(callback: () => void): void {
    this.#waiting.add(callback)
  }

  /** Calls back, once, when the service manager has read all that was sent so far. */
  afterAll(callback: () => void): void {
    this.#afterAll.push(callback)
    this.#sendBarrier()
  }

  /** Nobody is called back any more. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#outlet.onceRoom(undefined)
    this.#outlet.close()
    if (this.#pipe !== undefined) closePipe(this.#pipe)
    this.#pipe = undefined
    this.#waiting.clear()
    this.#afterAll = []
  }

  // Newer service managers start a process for each barrier; so one is out at a time, for all who wait when it is sent.
  #sendBarrier(): void {
    if (this.#isClosed || this.#isBarrierOut || this.#afterAll.length === 0) return
    try {
      this.#pipe ??= pipe()
      if (!this.trySend({ data: BARRIER, fds: [this.#pipe.writeFd] }))
        return this.onceOpen(this.#sendBarrierLater)
    } catch (error) {
      // Without descriptors, or with a service manager that takes none.
      debug('no barrier can be sent: %s', (error as Error).message)
      setTimeout(this.#sendBarrierLater, LONGEST_PAUSE_MS).unref()
      return
    }
    const { readFd, writeFd } = this.#pipe
    this.#pipe = undefined
    closeFd(writeFd)
    const callbacks = this.#afterAll.splice(0)
    this.#isBarrierOut = true
    const over = (): void => {
      closeFd(readFd)
      this.#isBarrierOut = false
      for (const callback of callbacks) callback()
      this.#sendBarrier()
    }
    // Where nothing can be waited for, nothing is.
    if (onceHangup(readFd, over) === undefined) setImmediate(over)
  }

  readonly #sendBarrierLater = (): void => this.#sendBarrier()

  #tryLater(error: Error): void {
    debug('next attempt in %d ms: %s', this.#pauseMs, error.message)
    this.#isBlocked = true
    this.#timer = setTimeout(() => this.#open(), this.#pauseMs)
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS)
  }

  #open(): void {
    this.#isBlocked = false
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const callback of waiting) {
      if (this.#isBlocked) this.#waiting.add(callback)
      else callback()
    }
  }
}

const BARRIER = Buffer.from('BARRIER=1')
