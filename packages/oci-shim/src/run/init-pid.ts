import { readFileSync, statSync } from 'node:fs'
import { parseContainerPid } from '../engines/container-pid.js'
import { runCommand } from '../engines/command-outcome.js'
import type { OwnContainer } from './own-container.js'

const ANSWER_MS = 10_000
const PAUSE_MS = 100

/** Finds the container's first process. */
export class InitPid {
  readonly #own: OwnContainer
  readonly #env: NodeJS.ProcessEnv
  readonly #mayAsk: boolean
  /** A file that was there before, of which nobody knows whose pid is in it. */
  readonly #stale: string | undefined
  #pid: number | undefined
  #isAsking = false

  /**
   * To be made before the container is started.
   *
   * @param mayAsk Whether it is worth a command of the engine; otherwise it is told only where a file says it.
   */
  constructor(own: OwnContainer, env: NodeJS.ProcessEnv, mayAsk: boolean) {
    this.#own = own
    this.#env = env
    this.#mayAsk = mayAsk
    this.#stale = versionOf(own.launch.container.pidFile)
  }

  /** Our number for it; `undefined` until the engine has told. */
  get(): number | undefined {
    this.#pid ??= this.#noted()
    if (this.#pid === undefined && this.#mayAsk && !this.#isAsking) void this.#ask()
    return this.#pid
  }

  #noted(): number | undefined {
    const { pidFile } = this.#own.launch.container
    if (pidFile === undefined || versionOf(pidFile) === this.#stale) return undefined
    try {
      return parseContainerPid(readFileSync(pidFile, 'utf8'))
    } catch {
      return undefined
    }
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    const container = await this.#own.find()
    if (container !== undefined) {
      const { code, stdout } = await runCommand(container.pid, this.#env, ANSWER_MS)
      if (code === 0) this.#pid = parseContainerPid(stdout)
    }
    setTimeout(() => (this.#isAsking = false), PAUSE_MS).unref()
  }
}

function versionOf(file: string | undefined): string | undefined {
  try {
    const stats = file === undefined ? undefined : statSync(file, { bigint: true })
    return stats && `${stats.ino} ${stats.ctimeNs}`
  } catch {
    return undefined
  }
}
