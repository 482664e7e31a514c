import { readFileSync } from 'node:fs'
import { parseContainerPid } from '../engines/container-pid.js'
import type { Launch } from '../engines/launch.js'
import { isThere } from './container-stop.js'
import { runCommand } from './command-outcome.js'

const ANSWER_MS = 10_000
const PAUSE_MS = 100

/** Finds the container's first process. */
export class InitPid {
  readonly #launch: Launch
  readonly #env: NodeJS.ProcessEnv
  readonly #mayAsk: boolean
  #pid: number | undefined
  #isAsking = false

  /** @param mayAsk Whether it is worth a command of the engine; otherwise it is told only where a file says it. */
  constructor(launch: Launch, env: NodeJS.ProcessEnv, mayAsk: boolean) {
    this.#launch = launch
    this.#env = env
    this.#mayAsk = mayAsk
  }

  /** Our number for it; `undefined` until the engine has told. */
  get(): number | undefined {
    this.#pid ??= this.#noted()
    if (this.#pid === undefined && this.#mayAsk && !this.#isAsking) void this.#ask()
    return this.#pid
  }

  #noted(): number | undefined {
    const { pidFile } = this.#launch.container
    if (pidFile === undefined) return undefined
    try {
      return parseContainerPid(readFileSync(pidFile, 'utf8'))
    } catch {
      return undefined
    }
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    if (isThere(this.#launch)) {
      const { code, stdout } = await runCommand(this.#launch.container.pid, this.#env, ANSWER_MS)
      if (code === 0) this.#pid = parseContainerPid(stdout)
    }
    setTimeout(() => (this.#isAsking = false), PAUSE_MS).unref()
  }
}
