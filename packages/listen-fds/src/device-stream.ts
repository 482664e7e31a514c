import { close, read, write } from 'node:fs'
import { Duplex } from 'node:stream'
import { FdWatcher, type Readiness, setNonBlocking } from '@sdbridge/syscalls'
import { canceledWrite } from './canceled-write.js'
import { fdAccess } from './fd-access.js'

export interface DeviceStreamOptions {
  /**
   * Leaves the writing side open when reading has come to the end of the file, until `end()` is called. Default false, as in
   * node:net.
   */
  allowHalfOpen?: boolean
}

type Callback = (error?: Error | null) => void
type Interest = 'readable' | 'writable'

const MOST_BYTES_AT_ONCE = 65_536

/**
 * A character device or a file as a stream: what `ListenSpecial=` and `OpenFile=` pass. It is `readable` and `writable` as the descriptor was
 * opened; from the position where it is; closed with the stream.
 *
 * - What can be waited for (terminals, /dev/rfkill, /dev/kmsg, many files of /proc and /sys) is read when there is something to read. `fs.createReadStream` would
 *   read at once, on a thread that nothing wakes: four of those stop all of node:fs, and one keeps the process from ending.
 * - For that it is made non-blocking, with O_NONBLOCK. This is a flag of the open file, so every process that holds it sees the change: of a terminal, the
 *   shell that it is shared with; of `ListenSpecial=`, the service manager, which sets it anew for each start of the service.
 * - What cannot be waited for (regular files, /dev/null) is always ready.
 * - The end of a file ends the stream; of a terminal, that is the hang-up or Ctrl-D. A /dev/tty, /dev/input/* or the like never ends: `destroy()` closes it.
 * - Reading gives what each read(2) returned, and each chunk that is written is one write(2), as long as the device takes it whole.
 */
export class DeviceStream extends Duplex {
  readonly #fd: number
  /** `undefined` for what is always ready. */
  readonly #watcher: FdWatcher | undefined
  readonly #waiting = new Map<Interest, () => void>()
  #keepsAlive = true
  #buffer: Buffer | undefined
  #unfinishedWrite: Callback | undefined
  /** System calls that are under way on threads. */
  #calls = 0
  #onceIdle: (() => void) | undefined

  /**
   * @param fd Taken over. Where this throws, it stays the caller's.
   * @throws Error `ENOENT`, `EBADF` if it is not open; SystemError.
   */
  constructor(fd: number, options: DeviceStreamOptions = {}) {
    super({ ...fdAccess(fd), allowHalfOpen: options.allowHalfOpen ?? false })
    this.#fd = fd
    this.#watcher = watcherOf(fd, (readiness) => this.#ready(readiness))
  }

  /** Lets the process end although this stream waits for something. */
  unref(): this {
    this.#keepsAlive = false
    this.#watcher?.unref()
    return this
  }

  /** Takes back `unref`. */
  ref(): this {
    this.#keepsAlive = true
    if (this.#waiting.size > 0) this.#watcher?.ref()
    return this
  }

  override _read(): void {
    this.#receive()
  }

  override _write(
    data: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#send(data, callback)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#watcher?.close()
    this.#waiting.clear()
    const closeNow = (): void => close(this.#fd, (closing) => callback(error ?? closing))
    // Or a thread would use the number when it is another file's.
    if (this.#calls === 0) closeNow()
    else this.#onceIdle = closeNow
    this.#unfinishedWrite?.(error ?? canceledWrite())
  }

  // Not read first and waited for then: there are drivers that do not know O_NONBLOCK.
  #receive(): void {
    if (this.#watcher === undefined) this.#readNow()
    else this.#wait('readable', () => this.#readNow())
  }

  #readNow(): void {
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(MOST_BYTES_AT_ONCE))
    this.#call((done) => {
      read(this.#fd, buffer, 0, buffer.length, null, (error, count) => {
        done()
        if (this.destroyed) return
        if (error && this.#isEarly(error)) this.#receive()
        else if (error) this.destroy(error)
        else this.push(count === 0 ? null : Buffer.from(buffer.subarray(0, count)))
      })
    })
  }

  // A device that cannot be written to now says so when it is tried. Some never say that they can: /dev/kmsg.
  #send(data: Buffer, callback: Callback): void {
    this.#unfinishedWrite = undefined
    this.#call((done) => {
      write(this.#fd, data, 0, data.length, null, (error, written) => {
        done()
        const rest = error ? data : data.subarray(written)
        if (this.destroyed) callback(canceledWrite())
        else if (error && this.#isEarly(error)) this.#sendLater(rest, callback)
        else if (error || rest.length === 0) callback(error)
        else this.#send(rest, callback)
      })
    })
  }

  #sendLater(data: Buffer, callback: Callback): void {
    this.#unfinishedWrite = callback
    this.#wait('writable', () => this.#send(data, callback))
  }

  // Somebody else has taken what was there.
  #isEarly(error: NodeJS.ErrnoException): boolean {
    return error.code === 'EAGAIN' && this.#watcher !== undefined
  }

  #call(start: (done: () => void) => void): void {
    this.#calls++
    start(() => {
      this.#calls--
      if (this.#calls === 0) this.#onceIdle?.()
    })
  }

  #wait(interest: Interest, action: () => void): void {
    this.#waiting.set(interest, action)
    this.#arm()
  }

  #ready({ error, hangup, readable, writable }: Readiness): void {
    const failed = error || hangup
    // What is wrong, the call will tell.
    if (readable || failed) this.#take('readable')
    if (writable || failed) this.#take('writable')
    this.#arm()
  }

  #take(interest: Interest): void {
    const action = this.#waiting.get(interest)
    this.#waiting.delete(interest)
    action?.()
  }

  #arm(): void {
    try {
      if (this.#waiting.size > 0) this.#watcher?.arm(...this.#waiting.keys())
    } catch (error) {
      this.destroy(error as Error)
    }
    if (this.#waiting.size > 0 && this.#keepsAlive) this.#watcher?.ref()
    else this.#watcher?.unref()
  }
}

// Whether a file can be waited for is not to be seen from its type: a regular file of /proc can.
function watcherOf(fd: number, onReady: (readiness: Readiness) => void): FdWatcher | undefined {
  const watcher = new FdWatcher(fd, onReady).unref()
  try {
    watcher.arm('hangup')
    setNonBlocking(fd, true)
    return watcher
  } catch (error) {
    watcher.close()
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return undefined
    throw error
  }
}
