import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ManagerError, Service, type ServiceOptions } from '@sdbridge/manager'
import { onTestFinished } from 'vitest'

export const SDBRIDGE: string = fileURLToPath(new URL('../../bin/sdbridge.js', import.meta.url))

const IS_ROOT = process.getuid?.() === 0
/** Where bridges have their directories: root's own place, or one made for these tests. */
export const BASE: string = IS_ROOT
  ? '/run/sdbridge'
  : mkdtempSync(join(tmpdir(), 'sdbridge-test-'))
if (!IS_ROOT) process.once('exit', () => rmSync(BASE, { recursive: true, force: true }))
/** This process' environment for a bridge. */
export const ENVIRONMENT: NodeJS.ProcessEnv = IS_ROOT
  ? process.env
  : { ...process.env, RUNTIME_DIRECTORY: BASE }

type End = [code: number | null, signal: NodeJS.Signals | null]

export interface BridgedUnitOptions extends Omit<ServiceOptions, 'command'> {
  /** Options of `sdbridge run`. */
  runOptions?: readonly string[]
}

/** A unit under the embedded manager whose main process is `sdbridge run`. */
export class BridgedUnit {
  readonly name = `test-${randomBytes(6).toString('hex')}.service`
  readonly service: Service
  /** Standard output and error of all that runs in it. */
  output = ''
  readonly notifications: object[] = []
  readonly ended: Promise<End>
  pid = 0

  constructor(command: readonly string[], options: BridgedUnitOptions = {}) {
    const { runOptions = [], ...rest } = options
    this.service = new Service({
      command: [process.execPath, SDBRIDGE, 'run', '--unit', this.name, ...runOptions, ...command],
      output: 'pipe',
      env: ENVIRONMENT,
      ...rest,
    })
    this.service.on('notification', (assignments) => this.notifications.push(assignments))
    this.service.on('spawn', (pid) => {
      this.pid = pid
      queueMicrotask(() => this.#collectOutput())
    })
    this.ended = once(this.service, 'exit') as Promise<End>
    onTestFinished(() => this.service.close())
  }

  /** Starts it, which must fail. */
  async failsToStart(): Promise<void> {
    const failure = await this.service.start().catch((error: ManagerError) => error.code)
    if (failure !== 'ERR_MANAGER_START_FAILED')
      throw new Error(`it did not fail to start: ${this.output}`)
  }

  /** What a payload has said after a word: `ENV {…}`. */
  said(word: string): unknown {
    const line = new RegExp(`^${word} (.*)$`, 'm').exec(this.output)?.[1]
    if (line === undefined) throw new Error(`no line ${word} in: ${this.output}`)
    return JSON.parse(line)
  }

  #collectOutput(): void {
    for (const stream of [this.service.output?.stdout, this.service.output?.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text))
    }
  }
}
