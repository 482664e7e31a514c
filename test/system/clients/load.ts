import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import type { Machine } from '../machine/machine.js'
import { spawnPython } from './python.js'

const PROGRAM = readFileSync(new URL('load.py', import.meta.url), 'utf8')

/** What came of the requests of a load. */
export interface Outcome {
  requests: number
  /** How often there was which error. */
  failures: Record<string, number>
  /** How often there was which answer. */
  answers: Record<string, number>
}

/** Many clients, of which each sends one HTTP request after the other: see load.py. */
export class Load {
  readonly #child: ReturnType<typeof spawnPython>
  #latest: Partial<Outcome> = {}
  #stderr = ''
  #hasEnded = false

  /** Starts them, for one test. The address is a port of 127.0.0.1 or a path. */
  constructor(machine: Machine, address: number | string) {
    const where =
      typeof address === 'number'
        ? `family, address = socket.AF_INET, ("127.0.0.1", ${address})`
        : `family, address = socket.AF_UNIX, ${JSON.stringify(address)}`
    this.#child = spawnPython(machine, `${where}\n${PROGRAM}`)
    this.#child.stderr.on('data', (data: Buffer) => (this.#stderr += String(data)))
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#latest = JSON.parse(line) as Partial<Outcome>
      this.#child.emit('progress')
    })
    this.#child.on('close', () => {
      this.#hasEnded = true
      this.#child.emit('progress')
    })
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  /** Waits until some more requests have come to an end, good or bad. */
  async more(requests: number): Promise<void> {
    const enough = (this.#latest.requests ?? 0) + requests
    while ((this.#latest.requests ?? 0) < enough) await this.#progress()
  }

  /** Ends it. */
  async end(): Promise<Outcome> {
    this.#child.stdin.end()
    while (this.#latest.answers === undefined) await this.#progress()
    return this.#latest as Outcome
  }

  async #progress(): Promise<void> {
    if (this.#hasEnded) throw new Error(`the load has ended: ${this.#stderr}`)
    await once(this.#child, 'progress')
  }
}
