import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { activated, listenVariables } from './service.js'

export interface ProgramOptions {
  /** What is passed from descriptor 3 on. */
  fds?: readonly number[]
  names?: string
  env?: Readonly<Record<string, string>>
  stdin?: number
  /** The command that starts it, in front of node. */
  launcher?: readonly string[]
  /** In front of the program. */
  nodeOptions?: readonly string[]
  args?: readonly string[]
  /** What is run in place of the source. */
  file?: string
  /** Passes a channel behind the descriptors, as child_process.fork() does. */
  ipc?: boolean
  /** How many descriptors are announced. Default: all that are passed. */
  count?: number
}

const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const PRELUDE = `
import * as lib from '@sdbridge/listen-fds'
const { connection, listenFds, listenOrBind, standardInput, takeFds, unclaimedFds, closeUnclaimedFds } = lib
const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n')
`

/** A program of a test that was passed descriptors. Each line that it writes by `say(value)` is read as JSON. */
export class Program {
  readonly process: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #stderr: Promise<string>

  constructor(source: string, options: ProgramOptions = {}) {
    const { fds = [], names, env, launcher = [], nodeOptions = [], args = [], file, ipc } = options
    const script = file === undefined ? ['--input-type=module', '-e', PRELUDE + source] : [file]
    const command = [...launcher, process.execPath, ...nodeOptions, ...script, ...args]
    const count = options.count ?? fds.length
    const announced = { count, ...(names !== undefined && { names }) }
    const [program = '', ...rest] = fds.length > 0 ? activated(command) : command
    this.process = spawn(program, rest, {
      cwd: PACKAGE,
      stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe', ...fds, ...(ipc ? ['ipc' as const] : [])],
      env: { ...process.env, ...(fds.length > 0 && listenVariables(announced)), ...env },
    })
    this.#lines = createInterface(this.process.stdout!)[Symbol.asyncIterator]()
    this.#stderr = text(this.process.stderr!)
    onTestFinished(async () => {
      this.process.kill('SIGKILL')
      await this.ended()
    })
  }

  /** The next value that it says. */
  async said(): Promise<unknown> {
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error(`the program has ended: ${await this.#stderr}`)
    return JSON.parse(value as string)
  }

  /** Resolves when it has ended, with its exit code. */
  async ended(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      await once(this.process, 'exit')
    }
    return this.process.exitCode
  }

  /** All that it wrote to stderr, when it has ended. */
  get stderr(): Promise<string> {
    return this.#stderr
  }
}
