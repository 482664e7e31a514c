import { once } from 'node:events'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { expect } from 'vitest'

/** What a command prints while it runs. */
export class Following {
  readonly #child: ChildProcessWithoutNullStreams
  #text = ''

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => (this.#text += String(text)))
  }

  async waitFor(text: string): Promise<void> {
    // oxlint-disable-next-line vitest/no-standalone-expect
    await expect.poll(() => this.#text, { timeout: 20_000 }).toContain(text)
  }

  /** Does something again and again, until it is heard of. */
  async waitUntilHeard(text: string, action: () => Promise<void>): Promise<void> {
    while (!this.#text.includes(text)) await action()
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'close')
    this.#child.kill()
    await ended
  }
}
