import { setTimeout as delay } from 'node:timers/promises'
import type { Command, ContainerCommands } from '../engines/launch.js'
import { Child, type ChildOptions } from './child-process.js'
import { type Ending, endingOfEngine } from './ending.js'
import { runCommand } from '../engines/command-outcome.js'
import { readInspected } from './inspected-container.js'
import { tell } from './operator-log.js'
import { isNone, type OwnContainer } from './own-container.js'
import { processEnd } from './process-end.js'

export interface ContainerEndOptions extends Omit<ChildOptions, 'fds'> {
  readonly own: OwnContainer
  /** Whether the container is being stopped: a client may have been sent the same signal, and does not tell the container's end then. */
  readonly isStopping: () => boolean
  /** Follows what a container writes, from a moment on (in seconds since 1970). */
  readonly logsSince: (name: string, sec: number) => Command | undefined
}

/** The engine's own failure, of which a lost connection is one: it says nothing of the container. */
const ENGINE_FAILED = 125
const LONGEST_PAUSE_MS = 5000
/** A start that its client asked for before it was lost shows by then. */
const START_PAUSE_MS = 1000
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
    const { own, isStopping } = this.#options
    const { detached, container } = own.launch
    const isLost = client.signal !== undefined || client.code === ENGINE_FAILED
    const isUnsure = isLost || (isStopping() && client.code !== 0)
    if (detached ? client.code !== 0 : !isUnsure) return endingOfEngine(client)
    if (container.wait === undefined) return await this.#endOfProcess(client)
    if (!detached) this.#seen = Date.now() / 1000
    const code = await this.#ask()
    await this.#endOfLogs()
    if (typeof code === 'number') return endingOfEngine({ code })
    // It has removed itself, and its exit code with it.
    if (detached) return { code: code === 'unstarted' ? ENGINE_FAILED : 0 }
    return isStopping() && !isOfContainer(client) ? { signal: 'SIGTERM' } : endingOfEngine(client)
  }

  // Of a container that was not started by this process, nobody can tell the exit status.
  async #endOfProcess(client: Ending): Promise<Ending> {
    const { launch } = this.#options.own
    if (!launch.detached) return endingOfEngine(client)
    return (await processEnd(launch.container.pid, this.#options.env)) ?? { code: 0 }
  }

  /** @returns Its exit code; `undefined` if there is no such container, or none that is ours. */
  async #ask(): Promise<number | 'unstarted' | undefined> {
    const { env, own } = this.#options
    for (let pauseMs = 200; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const container = await own.find()
      if (container?.wait === undefined) return undefined
      // Of one that does not answer, a client that follows the logs would write as much into them.
      const inspection = await runCommand(container.inspect, env, Infinity)
      const { isUnstarted, pid } = readInspected(inspection.stdout)
      if (inspection.code === 0 && isUnstarted) {
        // To wait for such a one is no failure to an engine, and its exit code is 0.
        if (pauseMs > START_PAUSE_MS) return 'unstarted'
      } else if (inspection.code === 0) {
        const isGone = hasEnded(pid)
        await this.#followLogs(container)
        const { code, stdout } = await runCommand(container.wait, env, Infinity)
        const exitCode = /^\d+$/m.exec(stdout)?.[0]
        if (code === 0 && exitCode !== undefined) return Number(exitCode)
        // To podman it runs for ever if conmon, which was to tell of its end, was killed before.
        if (isGone) return undefined
      } else if (isNone(inspection.reason)) return undefined
      await delay(pauseMs)
    }
  }

  async #followLogs({ logs: all, name }: ContainerCommands): Promise<void> {
    const { logsSince, env, state } = this.#options
    if (this.#logs?.hasEnded === false) return
    const command = this.#seen === undefined ? all : logsSince(name, this.#seen)
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

function hasEnded(pid: number | undefined): boolean {
  if (pid === undefined || pid === 0) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

// The clients' own: podman ends with 1 when it is sent SIGTERM.
function isOfContainer({ code }: Ending): boolean {
  return code !== undefined && code !== ENGINE_FAILED && code !== 1
}
