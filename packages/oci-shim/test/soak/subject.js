// @ts-check
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** @typedef {import('./growth.js').Measurement} Measurement */

/** With a young generation of one size from the start, instead of one that V8 makes larger step by step for minutes. */
const V8_OPTIONS = ['--expose-gc', '--min-semi-space-size=4', '--max-semi-space-size=4']

/** A process that does one thing only, so that what it has is what that needs. */
export class Subject {
  #child

  /**
   * @param {string} program
   * @param {...string} args
   */
  static async start(program, ...args) {
    const file = fileURLToPath(new URL(program, import.meta.url))
    const subject = new Subject(fork(file, args, { execArgv: V8_OPTIONS }))
    await once(subject.#child, 'message')
    return subject
  }

  /** @param {import('node:child_process').ChildProcess} child For `start()`. */
  constructor(child) {
    this.#child = child
    child.once('exit', (code, signal) => {
      if (code !== 0) throw new Error(`${child.spawnargs.join(' ')} has ended: ${signal ?? code}`)
    })
    process.on('exit', () => child.kill('SIGKILL'))
  }

  /**
   * @param {object} request
   * @returns {Promise<unknown>}
   */
  async ask(request) {
    const answer = once(this.#child, 'message')
    this.#child.send(request)
    return (await answer)[0]
  }

  /** @returns {Promise<Measurement>} */
  async measure() {
    return /** @type {Measurement} */ (await this.ask({ measure: true }))
  }

  async end() {
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}
