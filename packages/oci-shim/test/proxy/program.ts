import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from './bench.js'

/** The file of a program beside this one. They use what `pnpm build` made of src/. */
export function program(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

/** Another process for one test, which says something line by line. It is killed with its process group. */
export class Program {
  readonly lines: string[] = []
  readonly child: ChildProcess

  constructor(...command: [string, ...string[]]) {
    this.child = spawn(command[0], command.slice(1), {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    })
    createInterface(this.child.stdout!).on('line', (line) => this.lines.push(line))
    this.child.stdin!.on('error', () => {})
    onTestFinished(() => {
      try {
        process.kill(-this.child.pid!, 'SIGKILL')
      } catch {
        // It has ended.
      }
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  async says(line: string): Promise<void> {
    await until(() => this.lines.includes(line))
  }

  /** The next line that it has not said yet, or that comes. */
  async line(index: number): Promise<string> {
    await until(() => this.lines.length > index)
    return this.lines[index]!
  }

  tell(line = ''): void {
    this.child.stdin!.write(`${line}\n`)
  }
}
