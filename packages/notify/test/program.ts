import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** A Node process of its own for one test. */
export class Program {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  /** How it ended, when its output is complete. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>

  /**
   * @param source An ES module, in which `@sdbridge/notify` is this package as `pnpm build` made it.
   * @param env Beside PATH, all that it has.
   */
  constructor(source: string, env: NodeJS.ProcessEnv, { cwd = PACKAGE, flags = MODULE } = {}) {
    this.child = spawn(process.execPath, [...flags, '--eval', source], {
      cwd,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void this.child.kill('SIGKILL'))
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (code, signal) => resolve({ code, signal }))
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  /** Waits for a text on stdout. */
  async prints(text: string): Promise<void> {
    while (!this.stdout.includes(text)) {
      if (this.child.exitCode !== null) throw new Error(`it has ended: ${this.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const MODULE = ['--input-type=module']
