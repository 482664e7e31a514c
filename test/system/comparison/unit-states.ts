import { setTimeout as delay } from 'node:timers/promises'
import type { Machine } from '../machine/machine.js'

const PROPERTIES = [
  ...['ActiveState', 'SubState', 'Result', 'Job', 'StatusText', 'MainPID'],
  ...['ExecMainCode', 'ExecMainStatus', 'NFileDescriptorStore'],
] as const

export type UnitState = Record<(typeof PROPERTIES)[number], string>

interface Waiting {
  unit: string
  isMeant: (state: UnitState) => boolean
  end: number
  resolve: (state: UnitState | undefined) => void
}

const INTERVAL_MS = 250

/** Asks the service manager for all units that are waited for at once: dozens of systemctl a second would be the load that is waited for. */
export class UnitStates {
  readonly #machine: Machine
  #waiting: Waiting[] = []
  #isAsking = false

  constructor(machine: Machine) {
    this.#machine = machine
  }

  /** Waits until a unit is as it is meant to be; resolves with undefined when it is not in time. */
  wait(
    unit: string,
    isMeant: (state: UnitState) => boolean,
    timeoutMs: number,
  ): Promise<UnitState | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ unit, isMeant, end: performance.now() + timeoutMs, resolve })
      if (!this.#isAsking) this.#ask().catch(reject)
    })
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    try {
      while (this.#waiting.length > 0) {
        const now = performance.now()
        const states = await this.#states()
        this.#waiting = this.#waiting.filter(({ unit, isMeant, end, resolve }) => {
          const state = states.get(unit)
          if (state !== undefined && isMeant(state)) resolve(state)
          // It came while the manager was being asked.
          else if (state === undefined || now < end) return true
          else resolve(undefined)
          return false
        })
        if (this.#waiting.length > 0) await delay(INTERVAL_MS)
      }
    } finally {
      this.#isAsking = false
    }
  }

  async #states(): Promise<Map<string, UnitState>> {
    const units = [...new Set(this.#waiting.map(({ unit }) => unit))]
    const args = ['show', `--property=Id,${PROPERTIES.join(',')}`, ...units]
    const { stdout } = await this.#machine.run('systemctl', args, { timeoutMs: 60_000 })
    const states = stdout
      .trim()
      .split('\n\n')
      .map((block) => Object.fromEntries(block.split('\n').map(assignment)))
    return new Map(states.map((state) => [state['Id'] ?? '', state as UnitState]))
  }
}

function assignment(line: string): [string, string] {
  const end = line.indexOf('=')
  return [line.slice(0, end), line.slice(end + 1)]
}
