import type { ParsedAssignments } from '@sdbridge/notify/relay'
import type { Ending } from './ending.js'

/** What systemd-nspawn ends with where the container is to start anew: `RestartForceExitStatus=133` of its unit. */
const REBOOT_CODE = 133

type Message = Pick<ParsedAssignments, 'extra' | 'ready' | 'status'>

/** systemd as the payload, by what it says of itself. */
export class InnerSystemd {
  readonly #onReachable: () => void
  #isReachable = false
  #shutdown: string | undefined

  /** @param onReachable It does from now on what signals ask for; before that it does not get them. */
  constructor(onReachable: () => void) {
    this.#onReachable = onReachable
  }

  /** Takes in a message of its. */
  hear({ extra, ready, status }: Message): void {
    this.#shutdown = extra?.['X_SYSTEMD_SHUTDOWN'] ?? this.#shutdown
    // Before 256 it says nothing until it is at work.
    const isAtWork = ready === true || status !== undefined
    const isReachable = isAtWork || extra?.['X_SYSTEMD_SIGNALS_LEVEL'] !== undefined
    if (this.#isReachable || !isReachable) return
    this.#isReachable = true
    this.#onReachable()
  }

  /** How the unit is to end: a reboot cannot be told from a halt by how the container has ended. */
  endingOf(ending: Ending): Ending {
    return this.#shutdown === 'reboot' ? { code: REBOOT_CODE } : ending
  }
}
