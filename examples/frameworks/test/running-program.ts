import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { openSockets } from './open-sockets.js'

/** A program that runs until it is ended, at the latest with the test. */
export class RunningProgram {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #stderr = ''

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Nothing else, as under systemd-socket-activate: srvx ends in another way where it sees CI or TEST.
      env: { PATH: process.env['PATH'] },
    })
    this.#child.stderr!.on('data', (chunk) => (this.#stderr += String(chunk)))
    this.#ended = once(this.#child, 'exit')
    onTestFinished(async () => {
      this.#child.kill('SIGKILL')
      await this.#ended
    })
  }

  /** What waits for clients in it. */
  get sockets(): readonly string[] {
    return openSockets(this.#child.pid!)
  }

  /** Resolves when something waits for clients in it. */
  async listens(): Promise<void> {
    while (this.#isRunning() && this.sockets.length === 0) await delay(20)
    if (!this.#isRunning()) throw new Error(`the program has ended: ${this.#stderr}`)
  }

  /** Sends SIGTERM, and tells how the program ended: by that signal, or with an exit code. */
  async end(): Promise<NodeJS.Signals | number | null> {
    if (!this.#isRunning()) throw new Error(`the program has ended before: ${this.#stderr}`)
    this.#child.kill('SIGTERM')
    await this.#ended
    return this.#child.signalCode ?? this.#child.exitCode
  }

  #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }
}
