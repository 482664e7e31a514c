import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ListenFdsErrorDetails } from '../src/index.js'
import { onTestFinished } from 'vitest'
import { PYTHON } from '../../../test/support/real-program.js'

/** What a descriptor looks like in a report. */
export interface ReportedFd {
  fd: number
  name: string
  kind: string
  family?: string
  listening: boolean
  address?: string
}

/** The first line of fixtures/service.mjs: what it was passed. */
export interface Report {
  fds: ReportedFd[]
  error?: ListenFdsErrorDetails & { code: string; message: string }
  pid: number
  cloexec: number[]
  variables: string[]
  addonLoaded: boolean
  child: { descriptors: string[]; variables: string[] }
}

/** The options of fixtures/service.mjs. */
export interface ServiceOptions {
  close?: number[]
  clearCloexec?: number[]
  child?: boolean
  listen?: { unsetEnvironment?: boolean }
}

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url))

/** A service that was started, for one test. */
export class Service {
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(
    command: readonly string[],
    settings: { fds?: readonly number[]; env?: object } = {},
  ) {
    const [program = '', ...args] = command
    this.#process = spawn(program, args, {
      stdio: [
        'pipe',
        'pipe',
        process.env['TEST_VERBOSE'] ? 'inherit' : 'ignore',
        ...(settings.fds ?? []),
      ],
      env: { ...process.env, ...settings.env },
    })
    this.#lines = createInterface(this.#process.stdout as Readable)[Symbol.asyncIterator]()
    onTestFinished(async () => {
      this.#process.stdin?.end()
      this.#process.kill()
      if (this.#process.exitCode === null && this.#process.signalCode === null) {
        await once(this.#process, 'exit')
      }
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** What it was passed. */
  async report(): Promise<Report> {
    return (await this.#line()) as Report
  }

  /** Resolves when it serves; tells which of its sockets are non-blocking now. */
  async serving(): Promise<boolean[]> {
    return ((await this.#line()) as { nonBlocking: boolean[] }).nonBlocking
  }

  async #line(): Promise<unknown> {
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error('the service has ended')
    return JSON.parse(value as string)
  }
}

/** The command of the service itself. */
export function serviceCommand(options: ServiceOptions = {}): string[] {
  return [process.execPath, `${FIXTURES}service.mjs`, JSON.stringify(options)]
}

/** Starts the service as a manager does: the descriptors from 3 on, and the variables that announce them. */
export function activate(
  fds: readonly number[],
  settings: ServiceOptions & { count?: number; names?: string } = {},
): Service {
  const { count = fds.length, names, ...options } = settings
  const announced = { count, ...(names !== undefined && { names }) }
  return new Service(activated(serviceCommand(options)), { fds, env: listenVariables(announced) })
}

/** A command as it is run when descriptors were passed: with `LISTEN_PID`, beside {@link listenVariables}. */
export function activated(command: readonly string[]): string[] {
  return ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...command]
}

/** The variables that announce descriptors. */
export function listenVariables({ count, names }: { count: number; names?: string }): object {
  return { LISTEN_FDS: String(count), ...(names !== undefined && { LISTEN_FDNAMES: names }) }
}

/** What the service reports of descriptors that only other languages can open; see fixtures/pass.py. */
export function reportOnKinds(kinds: readonly string[]): Report {
  const args = [`${FIXTURES}pass.py`, JSON.stringify(kinds), ...serviceCommand()]
  const [first = ''] = execFileSync(PYTHON, args, { input: '', encoding: 'utf8' }).split('\n')
  return JSON.parse(first) as Report
}
