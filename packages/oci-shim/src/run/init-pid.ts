import { parseContainerPid } from '../engines/container-pid.js'
import type { Launch } from '../engines/launch.js'
import { isThere } from './container-stop.js'
import { runCommand } from './engine-command.js'

const ANSWER_MS = 10_000
const PAUSE_MS = 100

/** Finds the container's first process, when somebody wants to know: asking takes an engine's command. */
export class InitPid {
  readonly #launch: Launch
  readonly #env: NodeJS.ProcessEnv
  #pid: number | undefined
  #isAsking = false

  constructor(launch: Launch, env: NodeJS.ProcessEnv) {
    this.#launch = launch
    this.#env = env
  }

  /** Our number for it; `undefined` until the engine has told. */
  get(): number | undefined {
    if (this.#pid === undefined && !this.#isAsking) void this.#ask()
    return this.#pid
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
