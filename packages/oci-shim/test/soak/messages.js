// @ts-check
import { openSync } from 'node:fs'
import { NotifyReceiver } from '@sdbridge/notify/receiver'
import { closeFd, DatagramSocket, FdWatcher, pipe } from '@sdbridge/syscalls'

/** What a message may be, and how many of 100 are. */
const KINDS = /** @type {const} */ ([
  [50, 'plain'],
  [25, 'translated'],
  [15, 'refused'],
  [5, 'descriptors'],
  [5, 'barriers'],
])

/** A payload, and the service manager that its messages come to. */
export class Messages {
  #payload = new DatagramSocket('unix')
  #manager
  #file = openSync('/dev/null', 'r')
  #count = 0

  /**
   * @param {string} path The container socket.
   * @param {string} upstream
   */
  constructor(path, upstream) {
    this.#manager = new NotifyReceiver({ address: upstream, onNotification() {} })
    this.#payload.connect({ family: 'unix', path })
  }

  /**
   * Passes so many: first one kind after the other, then all of them mixed. They have arrived when this resolves.
   *
   * @param {number} count
   */
  async pass(count) {
    const half = count / 2
    for (const [share, kind] of KINDS)
      for (let each = 0; each < (share / 100) * half; each++) await this.#send(kind)
    for (let each = 0; each < half; each += 20)
      for (const [share, kind] of KINDS)
        for (let time = 0; time < share / 5; time++) await this.#send(kind)
    await this.#wait()
  }

  close() {
    this.#payload.close()
    this.#manager.close()
    closeFd(this.#file)
  }

  /** @param {(typeof KINDS)[number][1]} kind */
  async #send(kind) {
    const number = this.#count++
    if (kind === 'plain') await this.#sendText(number % 2 ? 'WATCHDOG=1' : `STATUS=${number}`)
    else if (kind === 'translated') await this.#sendText(`ERRNO=${number % 4096}\nX_N=${number}`)
    else if (kind === 'refused') await this.#sendText(`MAINPID=${number}\nNONSENSE=${number}`)
    else if (kind === 'descriptors')
      await this.#sendText(`FDSTORE=1\nFDNAME=n${number % 50}`, [this.#file, this.#file])
    else if (number % 100 === 0) await this.#wait()
    else await this.#sendText('BARRIER=1', [this.#file])
  }

  /** Until all that was sent has been read at the other end. */
  async #wait() {
    const { readFd, writeFd } = pipe()
    await this.#sendText('BARRIER=1', [writeFd])
    closeFd(writeFd)
    await new Promise((resolve) => {
      const watcher = new FdWatcher(readFd, () => {
        watcher.close()
        resolve(undefined)
      })
      watcher.arm('hangup')
    })
    closeFd(readFd)
  }

  /**
   * @param {string} text
   * @param {number[]} [fds]
   */
  async #sendText(text, fds) {
    const data = Buffer.from(text)
    while (!this.#payload.trySend(data, fds && { fds }))
      await new Promise((resolve) => this.#payload.onceWritable(() => resolve(undefined)))
  }
}
