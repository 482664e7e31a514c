import { parseEngineCommand } from '../engines/engine-command.js'
import type { RunOptions } from '../run/run-options.js'
import { findBridgeCommand } from './bridge-command.js'
import type { BridgedUnit } from './bridged-unit.js'
import { checkCommand } from './command-checks.js'
import { checkDaemon } from './daemon-checks.js'
import { type Diagnosis, fault } from './diagnosis.js'
import { checkEngine } from './engine-checks.js'
import { checkHost, type HostPlaces } from './host-checks.js'
import { checkSettings } from './unit-checks.js'
import { ManagerClient, type UnitState } from './unit-state.js'

/** What `sdbridge doctor` is asked to do. */
export interface DoctorOptions extends HostPlaces {
  /** Which unit; `undefined`: each loaded one that starts `sdbridge run`. */
  readonly unit?: string | undefined
  /** Whether it is of the service manager of the user who asks. */
  readonly user: boolean
  /** Reads the words of `sdbridge run`. @throws Error that says what is wrong with them. */
  readonly parseRun: (words: readonly string[]) => RunOptions | 'help'
}

/** What was found at one subject. */
export interface Examination {
  /** `host`, or a unit's name. */
  readonly subject: string
  readonly diagnoses: readonly Diagnosis[]
}

/**
 * Examines this host, and units with their engines. It changes nothing.
 *
 * @throws Error if the service manager does not answer.
 */
export async function* examine(options: DoctorOptions): AsyncGenerator<Examination> {
  const host = checkHost(options)
  yield { subject: 'host', diagnoses: host }
  if (host.some(({ code }) => code === 'no-systemd')) return
  const client = new ManagerClient(options)
  const units = options.unit === undefined ? await client.bridgedUnits() : [nameOf(options.unit)]
  for (const unit of units) {
    const state = await client.unitState(unit)
    yield { subject: unit, diagnoses: await examineUnit(state, options) }
  }
}

async function examineUnit(
  state: UnitState,
  { parseRun }: Pick<DoctorOptions, 'parseRun'>,
): Promise<Diagnosis[]> {
  const value = (name: string): string => state.properties.get(name) ?? ''
  const notLoaded = checkLoaded(value, state)
  if (notLoaded !== undefined) return [notLoaded]
  const bridge = state.start.map((words) => findBridgeCommand(words)).find((each) => each)
  if (bridge === undefined)
    return [
      fault(
        'no-bridge',
        `ExecStart= does not start sdbridge run: ${state.start.map((words) => words.join(' ')).join('; ') || 'it is empty'}`,
        'ExecStart=/usr/bin/sdbridge run -- docker run …',
      ),
    ]
  const { problem, options } = attempt(() => parseRun(bridge.words))
  if (options === 'help')
    return [fault('command', 'ExecStart= only prints the help of sdbridge run', 'leave --help out')]
  const engine = options && attempt(() => parseEngineCommand(options.command))
  const wrong = problem ?? engine?.problem
  const sockets = value('TriggeredBy')
    .split(' ')
    .filter((name) => name.endsWith('.socket'))
  const bridged: BridgedUnit = {
    ...{ state, value, bridge, options, sockets },
    command: engine?.options,
  }
  return [
    ...checkSettings(bridged),
    ...checkDaemon(bridged),
    ...(wrong === undefined
      ? []
      : [fault('command', wrong, 'correct ExecStart=; sdbridge run --help tells how')]),
    ...(await checkCommand({ ...bridged, options: wrong === undefined ? options : undefined })),
    ...(await checkEngine(bridged)),
  ]
}

function checkLoaded(
  value: (name: string) => string,
  { unit, user }: UnitState,
): Diagnosis | undefined {
  const state = value('LoadState')
  if (state === 'loaded') return undefined
  const where = user ? '~/.config/systemd/user' : '/etc/systemd/system'
  const remedies: Record<string, string> = {
    'not-found': `write ${where}/${unit} (sdbridge unit prints one) and systemctl daemon-reload`,
    masked: `systemctl unmask ${unit}`,
  }
  return fault(
    'not-loaded',
    `the service manager has not loaded it: ${state}${value('LoadError') === '' ? '' : `, ${value('LoadError')}`}`,
    remedies[state] ?? `systemd-analyze verify ${unit} tells what is wrong`,
  )
}

function attempt<T>(make: () => T): { options?: T; problem?: string } {
  try {
    return { options: make() }
  } catch (error) {
    return { problem: (error as Error).message }
  }
}

function nameOf(text: string): string {
  return /\.[a-z]+$/.test(text) ? text : `${text}.service`
}
