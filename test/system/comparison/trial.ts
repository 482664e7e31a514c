import { setTimeout as delay } from 'node:timers/promises'
import type { ContainerHost } from '../containers/container-host.js'
import type { Payload, SendOptions } from '../containers/payload.js'
import { CONTROL_FOLDER } from '../containers/payloads.js'
import type { Machine } from '../machine/machine.js'
import type { Around, Gathering } from './gathering.js'
import type { Container, Rival } from './rivals.js'
import type { UnitState, UnitStates } from './unit-states.js'

const LONGEST_END_MS = 5000
const LONGEST_START_MS = 60_000

/** A rival's service in a scenario. */
export class Trial {
  /** The unit's name without its ending, and the container's. */
  readonly name: string
  readonly rival: Rival
  readonly host: ContainerHost
  /** How long to wait for what may never happen. */
  readonly patienceMs: number

  readonly #states: UnitStates
  #payload: Payload | undefined
  #gathering: Gathering | undefined

  constructor(
    rival: Rival,
    scenarioId: string,
    host: ContainerHost,
    states: UnitStates,
    patienceMs: number,
  ) {
    this.name = `${rival.id}-${scenarioId}`
    this.rival = rival
    this.host = host
    this.#states = states
    this.patienceMs = patienceMs
  }

  get unit(): string {
    return `${this.name}.service`
  }

  get machine(): Machine {
    return this.host.machine
  }

  /** The same, in company: see `meanwhile()`. */
  with(gathering: Gathering | undefined): this {
    this.#gathering = gathering
    return this
  }

  /** What its unit runs. */
  container(hasUserNamespace: boolean): Container {
    return {
      name: this.name,
      argv: ['python3', '/payload/remote.py', this.name],
      mounts: { '/control': CONTROL_FOLDER },
      hasUserNamespace,
    }
  }

  /** The latest that was started. */
  get payload(): Payload {
    if (this.#payload === undefined) throw new Error(`${this.unit} has not been started`)
    return this.#payload
  }

  /** Starts the service, and resolves when its payload is there, which has sent nothing yet. */
  async start(): Promise<Payload> {
    await this.systemctl('start', '--no-block')
    return this.nextPayload()
  }

  /** Starts it; the payload says that it is ready. Resolves with whether the service manager has heard that. */
  async startReady(): Promise<boolean> {
    const payload = await this.start()
    if (this.rival.isReadyBy === undefined) await this.say('READY=1')
    else await payload.run(this.rival.isReadyBy)
    return this.becomes({ ActiveState: 'active', SubState: 'running' })
  }

  async nextPayload(): Promise<Payload> {
    this.#payload = await this.host.payloads.next(this.name, (signal) => this.#whyNone(signal))
    return this.#payload
  }

  /**
   * Sends a message, as the payload.
   *
   * @returns What went wrong, to be put behind a sentence: empty if nothing did.
   */
  async say(message: string, options: SendOptions = {}): Promise<string> {
    try {
      await this.payload.send(message, options)
      return ''
    } catch (error) {
      return reasonOf(error)
    }
  }

  systemctl(verb: string, ...options: string[]): Promise<unknown> {
    const args = [verb, ...options, this.unit]
    return this.machine.run('systemctl', args, { timeoutMs: LONGEST_START_MS })
  }

  /** Whether the unit gets to be like that, in time. */
  becomes(expected: Partial<UnitState>, timeoutMs = this.patienceMs): Promise<boolean> {
    const names = Object.keys(expected) as (keyof UnitState)[]
    return this.#waits((state) => names.every((name) => state[name] === expected[name]), timeoutMs)
  }

  /** Whether the unit's status gets to have this in it, in time. */
  shows(text: string): Promise<boolean> {
    return this.#waits(({ StatusText }) => StatusText.includes(text), this.patienceMs)
  }

  /** The unit's state now. */
  async state(): Promise<UnitState> {
    const state = await this.#states.wait(this.unit, () => true, LONGEST_START_MS)
    if (state === undefined) throw new Error(`${this.unit} is not loaded`)
    return state
  }

  /** Waits for the end of the service; resolves with its last state, or with undefined when it goes on. */
  ending(timeoutMs = this.patienceMs): Promise<UnitState | undefined> {
    return this.#states.wait(this.unit, hasEnded, timeoutMs)
  }

  /** Does what it does while this happens to the whole machine, once for all. */
  meanwhile<Result>(around: Around, action: () => Promise<Result>): Promise<Result> {
    if (this.#gathering === undefined) throw new Error(`${this.name} is alone`)
    return this.#gathering.meanwhile(around, action)
  }

  /** The process of the payload, as the machine counts it. */
  async pidOfPayload(): Promise<string> {
    const pattern = `^python3 /payload/remote.py ${this.name}$`
    return (await this.machine.run('pgrep', ['--full', pattern])).stdout.trim()
  }

  /** Ends the service, whatever state it is in. */
  async end(): Promise<void> {
    // It may hang in a message that nobody takes.
    if (this.#payload?.isThere === true)
      await Promise.race([this.#payload.exit(0), delay(LONGEST_END_MS)])
    if ((await this.ending(LONGEST_END_MS)) === undefined) {
      await this.systemctl('stop', '--no-block')
      await this.#kill()
      if ((await this.ending(LONGEST_START_MS)) === undefined)
        throw new Error(`${this.unit} has not ended: ${JSON.stringify(await this.state())}`)
    }
    await this.machine.run('systemctl', ['reset-failed', this.unit], { allowFailure: true })
    this.host.payloads.forget(this.name)
    this.#payload = undefined
  }

  async #waits(isMeant: (state: UnitState) => boolean, timeoutMs: number): Promise<boolean> {
    return (await this.#states.wait(this.unit, isMeant, timeoutMs)) !== undefined
  }

  async #kill(): Promise<void> {
    const args = ['kill', '--signal=KILL', '--kill-whom=all', this.unit]
    await this.machine.run('systemctl', args, { allowFailure: true })
  }

  async #whyNone(signal: AbortSignal): Promise<never> {
    const state = await Promise.race([
      this.ending(LONGEST_START_MS),
      new Promise<undefined>((resolve) =>
        signal.addEventListener('abort', () => resolve(undefined)),
      ),
    ])
    throw new NoPayload(
      `no payload of ${this.unit}: ${JSON.stringify(state)}\n${this.machine.output(this.unit)}`,
    )
  }
}

/** The service has ended, and its container was never there. */
export class NoPayload extends Error {}

/** An error of a call of the payload, in brackets and in few words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as Error & { code?: string | null }
  if (typeof code === 'string') return ` (${code})`
  if (message.includes("KeyError: 'NOTIFY_SOCKET'")) return ' (there is no NOTIFY_SOCKET)'
  throw error
}

function hasEnded({ ActiveState, Job }: UnitState): boolean {
  return /^(failed|inactive)$/.test(ActiveState) && /^0?$/.test(Job)
}
