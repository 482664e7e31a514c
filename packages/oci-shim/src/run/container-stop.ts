import { statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Command, Launch } from '../engines/launch.js'
import type { Child } from './child-process.js'
import { runCommand } from './engine-command.js'
import { tell } from './operator-log.js'

export interface ContainerStopOptions {
  readonly launch: Launch | undefined
  readonly child: Child
  readonly env: NodeJS.ProcessEnv
  /** From the stop signal to SIGKILL. */
  readonly graceSec: number
  /** Settles when the container has ended, however that was found out. */
  readonly ended: Promise<unknown>
}

/** What an engine needs for a command beside what it waits for. */
const ANSWER_MS = 15_000
/** Between two attempts. */
const PAUSE_MS = 1000
/** For the client to end when its container has, or when it has no container yet. */
const CLIENT_MS = 5000

/** Ends a container, or what was started in its place, once. */
export class ContainerStop {
  readonly #options: ContainerStopOptions
  #hasEnded = false
  #stopping: Promise<void> | undefined

  constructor(options: ContainerStopOptions) {
    this.#options = options
    void options.ended.then(() => (this.#hasEnded = true))
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined
  }

  /** Stops it as its engine does. A second call changes nothing. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const { launch, graceSec } = this.#options
    this.#stopping ??=
      launch === undefined ? this.#stopProcess(signal) : this.#stopContainer(launch, graceSec)
    await this.#stopping
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    const { launch, child } = this.#options
    if (launch === undefined) child.kill('SIGKILL')
    else await this.#run(launch.container.remove)
  }

  async #stopProcess(signal: NodeJS.Signals): Promise<void> {
    const { child, graceSec } = this.#options
    child.kill(signal)
    if (await this.#endsIn(graceSec * 1000)) return
    tell(`the command did not end ${graceSec} s after ${signal}: SIGKILL`)
    child.kill('SIGKILL')
  }

  async #stopContainer(launch: Launch, graceSec: number): Promise<void> {
    const { container } = launch
    if (!isThere(launch)) await this.#stopClient()
    // A container may be made, and started, while the first attempt is on its way, and an engine may be away for a time.
    const deadline = performance.now() + graceSec * 1000
    do {
      const restSec = Math.max(1, Math.floor((deadline - performance.now()) / 1000))
      if (await this.#runInTurn(container.stop(restSec), restSec)) return
    } while (!(await this.#endsIn(PAUSE_MS)) && performance.now() < deadline)
    await this.#stopClient()
    if (!this.#hasEnded) await this.#run(container.remove)
  }

  /** @returns Whether the container ended. */
  async #runInTurn(commands: readonly Command[], graceSec: number): Promise<boolean> {
    for (const command of commands) {
      const start = performance.now()
      const failure = await this.#run(command, graceSec)
      if (failure !== undefined) {
        if (this.#hasEnded || (await this.#endsIn(500))) return true
        return false
      }
      const restMs = start + graceSec * 1000 - performance.now()
      if (await this.#endsIn(Math.max(restMs, 0) + 500)) return true
    }
    return this.#hasEnded
  }

  // It has no container, or one that the engine does not know.
  async #stopClient(): Promise<void> {
    const { child } = this.#options
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (child.hasEnded) return
      child.kill(signal)
      await Promise.race([child.ended, delay(CLIENT_MS, undefined, { ref: false })])
    }
  }

  async #run(command: Command, graceSec = 0): Promise<string | undefined> {
    const { code, reason } = await runCommand(
      command,
      this.#options.env,
      graceSec * 1000 + ANSWER_MS,
    )
    return code === 0 ? undefined : reason
  }

  async #endsIn(ms: number): Promise<boolean> {
    if (this.#hasEnded) return true
    await Promise.race([this.#options.ended, delay(ms, undefined, { ref: false })])
    return this.#hasEnded
  }
}

/** Whether the engine knows the container by now; of one that does not tell, it is taken to. */
export function isThere({ container: { idFile } }: Launch): boolean {
  if (idFile === undefined) return true
  // docker makes it before it pulls, and writes to it when the container is there.
  return (statSync(idFile, { throwIfNoEntry: false })?.size ?? 0) > 0
}
