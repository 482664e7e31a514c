import type { ContainerHost } from '../containers/container-host.js'
import { Gathering } from './gathering.js'
import { no, none, type Observation } from './observation.js'
import type { Rival } from './rivals.js'
import type { Scenario } from './scenarios.js'
import { NoPayload, Trial } from './trial.js'
import type { UnitStates } from './unit-states.js'
import { writeTrial } from './write-trial.js'

// A machine is busy when so many containers start at once. What has not happened then is tried again alone, and longer.
const PATIENCE_MS = 6000
const PATIENCE_ALONE_MS = 30_000

/** One rival, and the questions that are put to it. */
export class Lane {
  readonly rival: Rival
  /** By the scenario's id. */
  readonly answers: Record<string, Observation> = {}

  readonly #host: ContainerHost
  readonly #states: UnitStates
  #patienceMs = PATIENCE_MS
  #shared: { trial: Trial; state: string } | undefined

  constructor(rival: Rival, host: ContainerHost, states: UnitStates) {
    this.rival = rival
    this.#host = host
    this.#states = states
  }

  /** Writes the units of all scenarios, to be loaded at once. */
  async write(scenarios: readonly Scenario[]): Promise<void> {
    await writeTrial(this.#trial(SHARED))
    for (const scenario of scenarios.filter(({ in: where }) => where === undefined))
      await writeTrial(this.#trial(scenario.id), scenario)
  }

  /** Asks all but those that are asked of all rivals together. */
  async askEach(scenarios: readonly Scenario[]): Promise<void> {
    for (const where of ['ready', undefined] as const) {
      for (const scenario of scenarios.filter((each) => each.in === where))
        await this.#tryToAsk(scenario)
    }
  }

  async askTogether(scenario: Scenario, gathering: Gathering): Promise<void> {
    try {
      await this.#tryToAsk(scenario, gathering)
    } finally {
      gathering.leave()
    }
  }

  /** Asks once more, alone, where there is no answer or not the one that is known. */
  async askAgain(
    scenarios: readonly Scenario[],
    known: Record<string, Observation>,
  ): Promise<void> {
    this.#patienceMs = PATIENCE_ALONE_MS
    for (const scenario of scenarios) {
      const answer = JSON.stringify(this.answers[scenario.id])
      const before = JSON.stringify(known[scenario.id]) ?? answer
      if (answer !== undefined && answer === before) continue
      await this.#endShared()
      await this.#ask(scenario, new Gathering(1))
    }
    await this.#endShared()
  }

  /** What goes wrong on a busy machine is no answer. */
  async #tryToAsk(scenario: Scenario, gathering?: Gathering): Promise<void> {
    await this.#ask(scenario, gathering).catch((error: unknown) => {
      process.stderr.write(`${String(error)}: it is asked again\n`)
    })
  }

  async #ask(scenario: Scenario, gathering?: Gathering): Promise<void> {
    this.answers[scenario.id] = await this.#answer(scenario, gathering).catch((error: unknown) => {
      throw new Error(`${this.rival.title}: ${scenario.title}: ${String(error)}`, { cause: error })
    })
  }

  async #answer(scenario: Scenario, gathering?: Gathering): Promise<Observation> {
    if (scenario.isAboutReady && this.answers['gate']?.answer !== 'yes')
      return none('READY=1 of the payload decides nothing')
    if (scenario.isAboutStatus && this.answers['status']?.answer === 'no')
      return none('no STATUS= is shown anyway')
    if (scenario.in !== undefined) return this.#observe(scenario, await this.#ready(gathering))
    const trial = this.#trial(scenario.id)
    await this.#endShared()
    try {
      return await this.#observe(scenario, trial)
    } finally {
      await trial.end()
    }
  }

  async #observe(scenario: Scenario, trial: Trial): Promise<Observation> {
    try {
      return await scenario.observe(trial)
    } catch (error) {
      if (!(error instanceof NoPayload)) throw error
      return no('the container does not start')
    }
  }

  /** The service that is shared, as it was when its payload had just said that it is ready. */
  async #ready(gathering: Gathering | undefined): Promise<Trial> {
    if (this.#shared !== undefined) {
      const { trial, state } = this.#shared
      if (trial.payload.isThere && (await stateOf(trial)) === state) return trial.with(gathering)
      await this.#endShared()
    }
    const trial = this.#trial(SHARED)
    await trial.startReady()
    this.#shared = { trial, state: await stateOf(trial) }
    return trial.with(gathering)
  }

  async #endShared(): Promise<void> {
    await this.#shared?.trial.end()
    this.#shared = undefined
  }

  #trial(id: string): Trial {
    return new Trial(this.rival, id, this.#host, this.#states, this.#patienceMs)
  }
}

/** As a scenario id, of the service that several share. */
const SHARED = 'ready'

async function stateOf(trial: Trial): Promise<string> {
  const { ActiveState, SubState, MainPID } = await trial.state()
  return [ActiveState, SubState, MainPID].join(' ')
}
