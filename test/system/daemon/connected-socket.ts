import { createInterface } from 'node:readline'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'

/** A sender in a machine that prints `connected`, and then `sent` for each line that it has sent. */
export class ConnectedSocket {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>
  #errors = ''

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    child.stderr.on('data', (text) => (this.#errors += String(text)))
    this.#answers = createInterface(child.stdout)[Symbol.asyncIterator]()
  }

  async ready(): Promise<void> {
    await this.#expect('connected')
  }

  /** Sends a message of one line, and waits until the kernel has it. */
  async send(line: string): Promise<void> {
    this.#child.stdin.write(`${line}\n`)
    await this.#expect('sent')
  }

  async close(): Promise<void> {
    this.#child.stdin.end()
    await this.#answers.next()
  }

  async #expect(answer: string): Promise<void> {
    const { value } = await this.#answers.next()
    if (value !== answer)
      throw new Error(`expected '${answer}', found ${String(value)}: ${this.#errors}`)
  }
}
