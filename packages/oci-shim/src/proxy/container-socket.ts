import { chmodSync } from 'node:fs'
import {
  DatagramSocket,
  type MessageReceiver,
  ownSocketFile,
  type ReceivedMessage,
  type ReceiveOptions,
  removeStaleSocketFile,
  type SystemError,
} from '@sdbridge/syscalls'
import createDebug from 'debug'

const debug = createDebug('sdbridge:proxy:socket')

/** Of a message that is longer than what systemd reads, this much is looked at for what can be rescued. */
const RECEIVE_MAX_BYTES = 64 * 1024
const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1000

export interface ContainerSocketOptions {
  path: string
  /** Ask for a pidfd of each sender. */
  pidfd: boolean
  onPlain?: NonNullable<ReceiveOptions['onPlain']>
  onMessages: (batch: ReceivedMessage[]) => void
}

/** The socket that a container sees. Should it fail, it is made anew at the same path. */
export class ContainerSocket {
  readonly #options: ContainerSocketOptions
  #socket!: DatagramSocket
  #receiver!: MessageReceiver
  #removeFile: () => void = () => {}
  #paused = false
  #closed = false
  #timer: NodeJS.Timeout | undefined

  /** @throws SystemError, such as `EADDRINUSE` if another process has the socket, `EACCES`, `ENOENT`. */
  constructor(options: ContainerSocketOptions) {
    this.#options = options
    this.#open()
  }

  get paused(): boolean {
    return this.#paused
  }

  /** Leaves what arrives in the kernel's queue, where senders wait. */
  pause(): void {
    this.#paused = true
    this.#receiver.pause()
  }

  resume(): void {
    this.#paused = false
    try {
      this.#receiver.resume()
    } catch (error) {
      // No memory for the waiting, say.
      this.#openAnew(error as Error)
    }
  }

  /** Delivers a batch of what has arrived before it returns; returns how many messages that were. */
  readBatch(): number {
    return this.#closed ? 0 : this.#receiver.readBatch()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#shut()
  }

  #open(): void {
    const { onMessages, onPlain, path, pidfd } = this.#options
    removeStaleSocketFile(path)
    this.#socket = new DatagramSocket('unix')
    try {
      // Before the socket has an address: what is sent before SO_PASSPIDFD is on carries no pidfd.
      this.#receiver = this.#socket.receive({
        maxBytes: RECEIVE_MAX_BYTES,
        pidfd,
        ...(onPlain && { onPlain }),
        onMessages,
        onError: (error) => this.#openAnew(error),
      })
      if (this.#paused) this.#receiver.pause()
      this.#socket.bind({ family: 'unix', path })
      this.#removeFile = ownSocketFile(path)
      // Any user of the container may send; who may reach it is decided by the directory and the mounts.
      chmodSync(path, 0o777)
    } catch (error) {
      this.#shut()
      throw error
    }
  }

  #openAnew(error: Error, pauseMs = FIRST_PAUSE_MS): void {
    debug('%s failed, and is made anew in %d ms: %s', this.#options.path, pauseMs, error.message)
    this.#shut()
    this.#timer = setTimeout(() => {
      try {
        this.#open()
      } catch (next) {
        this.#openAnew(next as SystemError, Math.min(2 * pauseMs, LONGEST_PAUSE_MS))
      }
    }, pauseMs)
  }

  #shut(): void {
    this.#socket.close()
    try {
      this.#removeFile()
    } catch (error) {
      // Its directory may have gone first.
      debug('%s cannot be removed: %s', this.#options.path, (error as Error).message)
    }
    this.#removeFile = () => {}
  }
}
