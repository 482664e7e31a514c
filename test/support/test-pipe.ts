import { closeFd, FdWatcher, pipe } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'

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

  /** Resolves when nobody has the write end any more, as a client waits for its barrier. */
  async released(): Promise<void> {
    await new Promise<void>((resolve) => {
      const watcher = new FdWatcher(this.readFd, () => {
        watcher.close()
        resolve()
      })
      watcher.arm('hangup')
    })
  }
}
