import { onTestFinished } from 'vitest'
import { closeFd, pipe } from '../src/index.js'

/** A pipe for one test. Each end is closed once: its number may be somebody else's afterwards. */
export class TestPipe {
  readonly readFd: number
  readonly writeFd: number
  readonly #open: Set<number>

  constructor() {
    const { readFd, writeFd } = pipe()
    this.readFd = readFd
    this.writeFd = writeFd
    this.#open = new Set([readFd, writeFd])
    onTestFinished(() => {
      this.closeRead()
      this.closeWrite()
    })
  }

  closeRead(): void {
    if (this.#open.delete(this.readFd)) closeFd(this.readFd)
  }

  closeWrite(): void {
    if (this.#open.delete(this.writeFd)) closeFd(this.writeFd)
  }
}
