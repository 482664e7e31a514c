import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from '../engines/launch.js'
import type { Child } from './child-process.js'
import { runCommand } from '../engines/command-outcome.js'
import { removalOf } from './container-removal.js'
import { tell } from './operator-log.js'
import type { OwnContainer } from './own-container.js'
import { FOR_EVER_SEC } from './stop-grace.js'

export interface ContainerStopOptions {
  /** `undefined` for a command that is no known engine. */
  readonly own: OwnContainer | undefined
  readonly child: Child
  readonly env: NodeJS.ProcessEnv
  /** From the stop signal to SIGKILL. */
  readonly graceSec: number
  /** Settles when the container has ended, however that was found out. */
  readonly ended: Promise<unknown>
}

/** For an engine to do what takes no time. */
const ANSWER_MS = 15_000
/** For a client to end when its container has, or when it has no container yet. */
const CLIENT_MS = 5000
/** Between two attempts. */
const PAUSE_MS = 1000

/** Ends a container, or what was started in its place, once. */
export class ContainerStop {
  readonly #options: ContainerStopOptions
  /** Ends what the engine's clients are at, once it is of no use. */
  readonly #over = new AbortController()
  #hasEnded = false
  #stopping: Promise<void> | undefined
  readonly #kills: Promise<void>[] = []
  /** When it is killed, in milliseconds of performance.now(). */
  #deadline = Infinity

  constructor(options: ContainerStopOptions) {
    this.#options = options
    void options.ended.then(() => {
      this.#hasEnded = true
      // A client ends with the container, unless its daemon hangs.
      setTimeout(() => this.#over.abort(), CLIENT_MS).unref()
    })
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined
  }

  /** Stops it as its engine does. A second call changes nothing. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#stopping ??= this.#stop(signal)
    await this.#stopping
  }

  /** Resolves when no client of the engine is left of what was done to stop it: a while after the container's end at the latest. */
  async settled(): Promise<void> {
    await Promise.all([this.#stopping, ...this.#kills])
  }

  /** The payload has asked for so much more time, and the service manager gives it. */
  extend(usec: bigint): void {
    if (this.isStopping)
      this.#deadline = Math.max(this.#deadline, performance.now() + Number(usec) / 1000)
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    const { own, child } = this.#options
    if (own === undefined) child.kill('SIGKILL')
    else if (!this.#hasEnded) {
      const killing = this.#removeOrStop(own)
      this.#kills.push(killing)
      await killing
    }
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const { own, child, graceSec } = this.#options
    this.#deadline = performance.now() + graceSec * 1000
    if (own === undefined) child.kill(signal)
    else await this.#stopContainer(own)
    if (await this.#endsByDeadline()) return
    tell(`it did not end ${graceSec} s after ${signal}, and is killed`)
    if (own === undefined) child.kill('SIGKILL')
    else await this.#killContainer(own)
  }

  async #removeOrStop(own: OwnContainer): Promise<void> {
    if (!(await this.#remove(own))) await this.#stopClient()
  }

  async #stopContainer(own: OwnContainer): Promise<void> {
    if (!own.isThere) await this.#stopClient()
    const engineWaits = own.launch.container.wait !== undefined
    const late = new AbortController()
    void this.#endsByDeadline().then((hasEnded) => hasEnded || late.abort())
    const signal = AbortSignal.any([late.signal, this.#over.signal])
    while (!this.#hasEnded && performance.now() < this.#deadline) {
      // The time is kept here: the payload may ask for more of it, and an engine cannot be told so.
      const [command] = (await own.find())?.stop(FOR_EVER_SEC) ?? []
      if (command !== undefined) {
        const outcome = await runCommand(command, this.#options.env, Infinity, signal)
        if (outcome.code === 0 && (!engineWaits || (await this.#endsIn(CLIENT_MS)))) return
      }
      // There is no container yet, or it was not started when it was stopped, or the engine is away for a time.
      await this.#endsIn(PAUSE_MS)
    }
  }

  async #killContainer(own: OwnContainer): Promise<void> {
    const kill = (await own.find())?.stop(0).at(-1)
    if (kill !== undefined) await this.#run(kill)
    if (await this.#endsIn(CLIENT_MS)) return
    await this.#stopClient()
    if (!this.#hasEnded) await this.#remove(own)
  }

  /** @returns Whether there is one. */
  async #remove(own: OwnContainer): Promise<boolean> {
    const container = await own.find()
    if (container === undefined) return false
    await this.#run(removalOf(own.launch, container))
    return true
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

  async #run(command: Command): Promise<void> {
    await runCommand(command, this.#options.env, ANSWER_MS, this.#over.signal)
  }

  async #endsByDeadline(): Promise<boolean> {
    while (!this.#hasEnded && performance.now() < this.#deadline)
      await this.#endsIn(this.#deadline - performance.now())
    return this.#hasEnded
  }

  async #endsIn(ms: number): Promise<boolean> {
    if (this.#hasEnded) return true
    // No timer of Node is longer.
    const timeout = delay(Math.min(ms, 2 ** 31 - 1), undefined, { ref: false })
    await Promise.race([this.#options.ended, timeout])
    return this.#hasEnded
  }
}
