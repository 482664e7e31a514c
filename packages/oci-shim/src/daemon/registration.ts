import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isContainerName } from '../control/container-name.js'
import type { ContainerFacts } from '../control/control-message.js'
import { writeJson } from '../run/write-json.js'
import type { Claim } from './allow-list.js'
import type { Progress } from './progress.js'
import type { ProcessIdentity } from './unit-process.js'

/** What is written down of a container, so that the next run of the daemon knows it. */
export interface Registration {
  readonly version: 1
  readonly name: string
  readonly container: ContainerFacts
  /** When its first process was started, as in {@link ProcessIdentity}. */
  readonly containerStartTicks?: string
  readonly unit: string
  readonly invocation: string
  readonly mainProcess: ProcessIdentity
  readonly claim: Claim
  readonly hasStore: boolean
  /** Whether `sdbridge cleanup` is to remove the container when the unit's main process has ended. */
  readonly isRemoved: boolean
  /** What its socket is called in the daemon's own descriptor store; absent if it is not there. */
  readonly storedAs?: string
  readonly registeredAt: number
  /** It has ended, and not all that it said has gone on. */
  readonly isEnding?: true
  /** As far as it was known when the last run of the daemon ended. */
  readonly progress?: Progress
}

/** The registrations of a host, a file for each. */
export class RegistrationFiles {
  readonly #directory: string

  /** @param runtime The daemon's runtime directory. */
  constructor(runtime: string) {
    this.#directory = join(runtime, 'containers')
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
  }

  write(registration: Registration): void {
    writeJson(this.#pathOf(registration.name), registration)
  }

  remove(name: string): void {
    rmSync(this.#pathOf(name), { force: true })
  }

  /** All that can be read; `onUnreadable` hears of the others, which stay where they are. */
  read(onUnreadable: (file: string, reason: string) => void): Registration[] {
    return readdirSync(this.#directory)
      .filter((file) => file.endsWith('.json'))
      .flatMap((file) => {
        const path = join(this.#directory, file)
        try {
          const registration = JSON.parse(readFileSync(path, 'utf8')) as Registration
          if (registration.version !== 1 || !isContainerName(registration.name))
            throw new Error('expected a registration of version 1')
          return [registration]
        } catch (error) {
          onUnreadable(path, (error as Error).message)
          return []
        }
      })
  }

  #pathOf(name: string): string {
    return join(this.#directory, `${name}.json`)
  }
}
