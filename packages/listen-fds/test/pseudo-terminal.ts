import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { PYTHON } from '../../../test/support/real-program.js'

// What comes on its input is typed at the terminal; what the terminal shows goes to its output. Its end hangs up.
const HOLDER = `
import os, pty, select, sys, tty
master, slave = pty.openpty()
tty.setraw(slave)
os.write(1, (os.ttyname(slave) + '\\n').encode())
while True:
    for fd in select.select([0, master], [], [])[0]:
        data = os.read(fd, 65536)
        if fd == 0 and not data: sys.exit()
        os.write(master if fd == 0 else 1, data)
`

/** A pseudo-terminal: whose other side a program of its own holds. */
export class PseudoTerminal {
  /** Of the side that programs use. */
  readonly fd: number
  /** What it has shown. */
  shown = ''
  readonly #holder: ChildProcessWithoutNullStreams

  private constructor(holder: ChildProcessWithoutNullStreams, path: string) {
    this.#holder = holder
    this.fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY)
    holder.stdout.on('data', (data) => (this.shown += String(data)))
  }

  static async open(): Promise<PseudoTerminal> {
    const holder = spawn(PYTHON, ['-c', HOLDER])
    onTestFinished(() => void holder.kill())
    const lines = createInterface(holder.stdout)
    const [path] = (await once(lines, 'line')) as [string]
    lines.close()
    const terminal = new PseudoTerminal(holder, path)
    holder.stdout.resume()
    return terminal
  }

  type(text: string): void {
    this.#holder.stdin.write(text)
  }

  hangUp(): void {
    this.#holder.stdin.end()
  }
}
