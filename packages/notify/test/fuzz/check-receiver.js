// @ts-check
import { readSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { closeFd, closeForeignFds, DatagramSocket, pipe, setNonBlocking } from '@sdbridge/syscalls'
import { differ } from './check-message.js'
import { readMessage } from './reference-parser.js'

/** @import { Package } from './check-message.js' */

/** Of a problem that takes long to see. */
export const STAYS_OPEN = 'stays open'

const LIMIT = 4096
const MOST_TRIES = 5_000

/** A receiver, a sender, and what must come of each message between them. */
export class ReceiverCheck {
  #receiver
  #sender = new DatagramSocket('unix')
  /** @type {unknown[]} */
  #outcomes = []
  /** @type {number[]} */
  #taken = []

  /** @param {Package} tested */
  constructor({ NotifyReceiver }) {
    this.#receiver = new NotifyReceiver({
      onNotification: (notification) => {
        const { assignments, fdCount, sender } = notification
        const { extra, ...others } = assignments
        const said = { ...others, ...(extra !== undefined && { extra: { ...extra } }) }
        // Every second time they are left for the receiver to close.
        if (fdCount % 2 === 1) this.#taken.push(...notification.takeFds())
        this.#outcomes.push({ said, fdCount, pid: sender.pid })
      },
      onRejected: ({ reason }) => this.#outcomes.push({ reason }),
    })
    this.#sender.connect({
      family: 'unix',
      abstract: Buffer.from(this.#receiver.address.slice('@'.length)),
    })
  }

  /**
   * What is wrong with what becomes of one message; undefined if nothing is.
   *
   * @param {Buffer} message
   * @param {number} fdCount
   * @returns {Promise<string | undefined>}
   */
  async check(message, fdCount) {
    const { readFd, writeFd } = pipe()
    /** @type {string | undefined} */
    let problem
    try {
      this.#outcomes = []
      const fds = Array.from({ length: fdCount }, () => writeFd)
      if (!this.#sender.trySend(message, { fds })) throw new Error('the queue is full')
      this.#receiver.readNow()
      const expected = expectedOutcomes(message, fdCount)
      if (!isDeepStrictEqual(this.#outcomes, expected)) {
        problem = differ(`with ${fdCount} descriptors`, this.#outcomes, expected)
      }
    } catch (error) {
      problem = `with ${fdCount} descriptors it throws ${String(error)}`
    }
    closeForeignFds(this.#taken.splice(0))
    closeFd(writeFd)
    if (!(await ends(readFd))) problem ??= `with ${fdCount} descriptors, one of them ${STAYS_OPEN}`
    closeFd(readFd)
    return problem
  }

  close() {
    this.#receiver.close()
    this.#sender.close()
  }
}

/**
 * @param {Buffer} message
 * @param {number} fdCount
 */
function expectedOutcomes(message, fdCount) {
  if (message.length > LIMIT) return [{ reason: 'payload-truncated' }]
  const reading = readMessage(message)
  if ('rejected' in reading) return [{ reason: reading.rejected }]
  const { lines, assignments } = reading
  if (assignments['barrier'] === undefined)
    return [{ said: assignments, fdCount, pid: process.pid }]
  return lines.length === 1 && fdCount === 1 ? [] : [{ reason: 'barrier-not-alone' }]
}

/** Waits until all copies of the other end are closed. @param {number} readFd */
async function ends(readFd) {
  setNonBlocking(readFd, true)
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    try {
      if (readSync(readFd, Buffer.alloc(1)) === 0) return true
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EAGAIN') throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return false
}
