import { setTimeout as delay } from 'node:timers/promises'
import type { Command, Launch } from '../engines/launch.js'
import { Child, type ChildOptions } from './child-process.js'
import { type Ending, endingOfEngine } from './ending.js'
import { runCommand } from '../engines/command-outcome.js'
import { tell } from './operator-log.js'
import { processEnd } from './process-end.js'

export interface ContainerEndOptions extends Omit<ChildOptions, 'fds'> {
  readonly launch: Launch
  /** Whether the container is being stopped: a client may have been sent the same signal, and does not tell the container's end then. */
  readonly isStopping: () => boolean
  /** Follows what the container writes, from a moment on (in seconds since 1970). */
  readonly logsSince: (sec: number) => Command | undefined
}

/** The engine's own failure, of which a lost connection is one: it says nothing of the container. */
const ENGINE_FAILED = 125
const LONGEST_PAUSE_MS = 5000
const LAST_LOGS_MS = 5000

/**
 * Waits until a container has ended: as long as its client tells, by that; then by asking its engine, also when that is away for a
 * time while the container lives (dockerd with live-restore).
 */
export class ContainerEnd {
  readonly #options: ContainerEndOptions
  #logs: Child | undefined
  #seen: number | undefined

  constructor(options: ContainerEndOptions) {
    this.#options = options
  }

  /** @param client How the engine's client has ended. */
  async after(client: Ending): Promise<Ending> {
    const { launch, isStopping } = this.#options
    const { detached, container } = launch
    const isLost = client.signal !== undefined || client.code === ENGINE_FAILED
    const isUnsure = isLost || (isStopping() && client.code !== 0)
    if (detached ? client.code !== 0 : !isUnsure) return endingOfEngine(client)
    if (container.wait === undefined) return await this.#endOfProcess(client)
    if (!detached) this.#seen = Date.now() / 1000
    const code = await this.#ask(container.wait)
    await this.#endOfLogs()
    // It has removed itself, and its exit code with it.
    if (code !== undefined) return endingOfEngine({ code })
    if (detached) return { code: 0 }
    return isStopping() && !isOfContainer(client) ? { signal: 'SIGTERM' } : endingOfEngine(client)
  }

  // Of a container that was not started by this process, nobody can tell the exit status.
  async #endOfProcess(client: Ending): Promise<Ending> {
    const { launch, env } = this.#options
    if (!launch.detached) return endingOfEngine(client)
    return (await processEnd(launch.container.pid, env)) ?? { code: 0 }
  }

  async #ask(wait: Command): Promise<number | undefined> {
    const { env, launch } = this.#options
    for (let pauseMs = 200; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      // Of one that does not answer, a client that follows the logs would write as much into them.
      const inspection = await runCommand(launch.container.pid, env, Infinity)
      if (inspection.code === 0) {
        await this.#followLogs()
        const { code, stdout } = await runCommand(wait, env, Infinity)
        const exitCode = /^\d+$/m.exec(stdout)?.[0]
        if (code === 0 && exitCode !== undefined) return Number(exitCode)
      } else if (/no such (?:container|object)/i.test(inspection.reason)) return undefined
      await delay(pauseMs)
    }
  }

  async #followLogs(): Promise<void> {
    const { launch, logsSince, env, state } = this.#options
    if (this.#logs?.hasEnded === false) return
    const command = this.#seen === undefined ? launch.container.logs : logsSince(this.#seen)
    if (command === undefined) return
    try {
      const logs = await Child.start(command, { env, state, fds: [] })
      this.#logs = logs
      void logs.ended.then(() => (this.#seen = Date.now() / 1000))
    } catch (error) {
      // How it ends is worth more than what it writes.
      tell(`what the container writes is not shown: ${(error as Error).message}`)
    }
  }

  // What it wrote last is on its way. It follows a container that has ended to the end of what it wrote.
  async #endOfLogs(): Promise<void> {
    const logs = this.#logs
    if (logs === undefined) return
    await Promise.race([logs.ended, delay(LAST_LOGS_MS, undefined, { ref: false })])
    if (!logs.hasEnded) logs.kill('SIGKILL')
  }
}

// The clients' own: podman ends with 1 when it is sent SIGTERM.
function isOfContainer({ code }: Ending): boolean {
  return code !== undefined && code !== ENGINE_FAILED && code !== 1
}
