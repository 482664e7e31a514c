import { setTimeout as delay } from 'node:timers/promises'
import type { Launch } from '../engines/launch.js'
import { Child, type ChildOptions } from './child-process.js'
import { type Ending, endingOfEngine } from './ending.js'
import { runCommand } from './engine-command.js'

/** The engine's own failure, of which a lost connection is one: it says nothing of the container. */
const ENGINE_FAILED = 125
const LONGEST_PAUSE_MS = 5000

/**
 * Waits until a container has ended: as long as its client tells, by that; then by asking its engine, also when that is away for a
 * time while the container lives (dockerd with live-restore).
 */
export class ContainerEnd {
  readonly #launch: Launch
  readonly #options: ChildOptions
  #logs: Child | undefined

  constructor(launch: Launch, options: ChildOptions) {
    this.#launch = launch
    this.#options = { ...options, fds: [] }
  }

  /** @param client How the engine's client has ended. */
  async after(client: Ending): Promise<Ending> {
    const { detached, container } = this.#launch
    if (detached ? client.code !== 0 : !isLost(client)) return endingOfEngine(client)
    if (container.wait === undefined) return endingOfEngine(client)
    this.#followLogs()
    const code = await this.#ask()
    await this.#endOfLogs()
    // It has removed itself, and its exit code with it.
    if (code === undefined) return detached ? { code: 0 } : endingOfEngine(client)
    return endingOfEngine({ code })
  }

  async #ask(): Promise<number | undefined> {
    const { wait } = this.#launch.container
    for (let pauseMs = 200; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const { code, stdout, reason } = await runCommand(wait!, this.#options.env, Infinity)
      const exitCode = /^\d+$/m.exec(stdout.trim())?.[0]
      if (code === 0 && exitCode !== undefined) return Number(exitCode)
      if (/no such container/i.test(reason)) return undefined
      await delay(pauseMs)
      if (this.#logs?.hasEnded === true) this.#followLogs()
    }
  }

  #followLogs(): void {
    const { logs } = this.#launch.container
    if (logs !== undefined) this.#logs = new Child(logs, this.#options)
  }

  // What it wrote last is on its way. It follows a container that has ended to the end of what it wrote.
  async #endOfLogs(): Promise<void> {
    const logs = this.#logs
    if (logs === undefined) return
    await Promise.race([logs.ended, delay(5000, undefined, { ref: false })])
    if (!logs.hasEnded) logs.kill('SIGKILL')
  }
}

// The code of a container that exits with the same one is asked for in vain.
function isLost({ code, signal }: Ending): boolean {
  return signal !== undefined || code === ENGINE_FAILED
}
