import { spawnSync } from 'node:child_process'
import { readFileSync, realpathSync, statSync } from 'node:fs'
import type { ContainerCommands, Launch } from '../engines/launch.js'
import { type CommandOutcome, runCommand } from '../engines/command-outcome.js'
import { readInspected } from './inspected-container.js'

const ANSWER_MS = 15_000

export interface OwnContainerOptions {
  readonly launch: Launch
  readonly env: NodeJS.ProcessEnv
  /** Whose label it has. */
  readonly unit: string
}

/**
 * The container that a launch makes. Another one may have its name: nobody keeps it free while an image is being pulled, and then the
 * launch fails. So nothing is done to a container by its name alone, unless the unit is to start what was there before.
 */
export class OwnContainer {
  readonly launch: Launch
  readonly #env: NodeJS.ProcessEnv
  readonly #unit: string
  /** An id file that was there before, which podman writes anew: it tells another container. */
  readonly #stale: string | undefined

  /** To be made before the container is started. */
  constructor({ launch, env, unit }: OwnContainerOptions) {
    this.launch = launch
    this.#env = env
    this.#unit = unit
    this.#stale = versionOf(launch.container.idFile)
  }

  /** Whether it is there by now; of an engine that does not write that down, it is taken to be. */
  get isThere(): boolean {
    return this.launch.container.idFile === undefined || this.#id !== undefined
  }

  /** @returns The commands that are for it, and for no other; `undefined` if it is not there, as far as its engine has told. */
  async find(): Promise<ContainerCommands | undefined> {
    const { container } = this.launch
    if (container.bundle === undefined) return this.#told
    const { code, stdout } = await runCommand(container.inspect, this.#env, ANSWER_MS)
    return code === 0 ? this.#among(stdout) : undefined
  }

  /**
   * Finds also what no client has told of, because it was killed before: by the container's label.
   *
   * @param hasLeft Whether the client may have left something half made.
   * @returns `undefined` if there is certainly nothing.
   * @throws Error if the engine does not say.
   */
  async findLast(hasLeft: boolean): Promise<ContainerCommands | undefined> {
    const { container } = this.launch
    const isUnknown = container.bundle !== undefined || this.#told === undefined
    if (!isUnknown) return this.#told
    return this.#judge(await runCommand(container.inspect, this.#env, ANSWER_MS), hasLeft)
  }

  /** The same at once, where this process cannot go on. */
  findNow(): ContainerCommands | undefined {
    const { container } = this.launch
    if (container.bundle === undefined && this.#told !== undefined) return this.#told
    const { file, args } = container.inspect
    const { status, stdout, stderr } = spawnSync(file, args, {
      env: this.#env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: ANSWER_MS,
    })
    return this.#judge({ code: status ?? undefined, stdout, reason: stderr }, true)
  }

  #judge(
    { code, stdout, reason }: Pick<CommandOutcome, 'code' | 'stdout' | 'reason'>,
    hasLeft: boolean,
  ): ContainerCommands | undefined {
    const { container } = this.launch
    if (code === 0) return this.#among(stdout)
    // A runtime has nobody to ask. What it was making when it was killed has no state, and keeps its id from being used again.
    if (container.bundle !== undefined && code !== undefined) return hasLeft ? container : undefined
    if (isNone(reason)) return undefined
    throw new Error(reason)
  }

  #among(inspected: string): ContainerCommands | undefined {
    const { container } = this.launch
    const { bundle, id, unit } = readInspected(inspected)
    if (container.bundle !== undefined)
      return bundle !== undefined && real(bundle) === real(container.bundle) ? container : undefined
    return id !== undefined && unit === this.#unit ? container.of(id) : undefined
  }

  get #told(): ContainerCommands | undefined {
    const { container } = this.launch
    if (container.idFile === undefined) return container
    return this.#id === undefined ? undefined : container.of(this.#id)
  }

  get #id(): string | undefined {
    const { idFile } = this.launch.container
    // docker makes it before it pulls, and writes to it when the container is there.
    if (idFile === undefined || versionOf(idFile) === this.#stale) return undefined
    try {
      return /^[\da-f]{12,}$/.exec(readFileSync(idFile, 'utf8').trim())?.[0]
    } catch {
      return undefined
    }
  }
}

/** Whether an engine says that there is no such container, rather than nothing. */
export function isNone(reason: string): boolean {
  return /no such (?:container|object)/i.test(reason)
}

function versionOf(file: string | undefined): string | undefined {
  const stats =
    file === undefined ? undefined : statSync(file, { bigint: true, throwIfNoEntry: false })
  return stats && `${stats.ino} ${stats.ctimeNs}`
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
