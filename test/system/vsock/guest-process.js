// @ts-check
import { EventEmitter, once } from 'node:events'

/** A program that runs in a guest, or has run. */
export class GuestProcess {
  stdout = ''
  stderr = ''
  /** The signal's name for one that a signal ended. @type {number | string | undefined} */
  exitCode
  #tell
  #events = new EventEmitter()

  /** @param {(message: object) => void} tell */
  constructor(tell) {
    this.#tell = tell
  }

  /** @param {{ stdout?: string, stderr?: string, exitCode?: number | string }} event */
  hear({ stdout = '', stderr = '', exitCode = this.exitCode }) {
    this.stdout += stdout
    this.stderr += stderr
    this.exitCode = exitCode
    this.#events.emit('change')
  }

  /** @param {string} text for its standard input */
  write(text) {
    this.#tell({ input: text })
  }

  /** Ends it. */
  async kill() {
    this.#tell({ signal: 'SIGKILL' })
    await this.untilEnd()
  }

  /**
   * Waits until it has printed this.
   *
   * @param {RegExp} pattern
   * @param {() => string} [output] what is looked at: standard output, if nothing else is said
   */
  async until(pattern, output = () => this.stdout) {
    while (!pattern.test(output())) {
      if (this.exitCode !== undefined) throw new Error(`it ended: ${this.stdout}${this.stderr}`)
      await once(this.#events, 'change')
    }
  }

  /** @returns {Promise<this>} */
  async untilEnd() {
    while (this.exitCode === undefined) await once(this.#events, 'change')
    return this
  }
}
