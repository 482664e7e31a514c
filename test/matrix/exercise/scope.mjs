import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What one check has opened, closed in reverse order when it ends, however it ends. */
export class Scope {
  #endings = []

  /** @param {number} timeoutMs what the check has: more where everything is slow */
  constructor(timeoutMs) {
    this.timeoutMs = timeoutMs
  }

  after(ending) {
    this.#endings.push(ending)
  }

  /** Hands back what has a `close()`, which will be called. */
  closing(resource) {
    this.after(() => resource.close())
    return resource
  }

  temporaryDirectory() {
    const directory = mkdtempSync(join(tmpdir(), 'sdbridge-exercise-'))
    this.after(() => rmSync(directory, { recursive: true, force: true }))
    return directory
  }

  async end() {
    for (const ending of this.#endings.toReversed()) {
      try {
        await ending()
      } catch (error) {
        process.stderr.write(`while a check ended: ${error.stack}\n`)
      }
    }
  }
}
