import { join } from 'node:path'
import { descriptorDoor } from '../engines/descriptor-door.js'
import { type DescriptorRequest, newRequest } from '../engines/descriptor-request.js'
import { canPassFds, type EngineCommand, parseEngineCommand } from '../engines/engine-command.js'
import { examineEngine } from '../engines/engine-problem.js'
import { SYSTEMD_SOCKET } from '../engines/systemd-needs.js'
import { BridgeError } from './bridge-error.js'
import { checkSystemd } from './check-systemd.js'
import type { ContainerPlaces } from './container-places.js'
import { type ContainerPlan, planContainer } from './container-plan.js'
import { type ContainerSockets, takeSockets } from './container-sockets.js'
import { type HostEnvironment, readHostEnvironment } from './host-environment.js'
import { keepDescriptors } from './keep-descriptors.js'
import { checkSockets } from './operator-notes.js'
import {
  baseDirectory,
  fileNameOf,
  PrivateDirectory,
  SYSTEM_DIRECTORY,
} from './private-directory.js'
import type { RunOptions } from './run-options.js'
import { type StartConditions, startConditions } from './start-conditions.js'
import { cgroupForContainer } from './unit-cgroup.js'
import { type UnitIdentity, unitIdentity } from './unit-identity.js'
import { readUnitSettings, type UnitSettings } from './unit-settings.js'

/** All that is known before anything is made or started. */
export interface PreparedRun {
  readonly options: RunOptions
  readonly host: HostEnvironment
  readonly sockets: ContainerSockets
  readonly identity: UnitIdentity
  readonly settings: UnitSettings
  readonly conditions: StartConditions
  /** `undefined` for a command that is no known engine's. */
  readonly plan: ContainerPlan | undefined
  readonly directory: PrivateDirectory
  /** The bridge's: the directory's own, unless another process is the bridge. */
  readonly places: ContainerPlaces
  /** What the container's runtime asks for, and where; `undefined` if descriptors are inherited, or there are none. */
  readonly request: DescriptorRequest | undefined
  /** For the one who wrote the command. */
  readonly warnings: readonly string[]
  /** How many descriptors the container may store. */
  readonly storeLimit: number
  /** What the payload is told of its service manager, with paths as they are on the host. */
  readonly variables: Readonly<Record<string, string>>
}

const ANSWER_MS = 5000

/**
 * Reads what the host says, and plans the command. It changes nothing but this process' own environment.
 *
 * @param placesFor Of another process that is the bridge, those for this unit.
 */
export async function prepareRun(
  options: RunOptions,
  placesFor?: (identity: UnitIdentity) => ContainerPlaces,
): Promise<PreparedRun> {
  const host = readHostEnvironment()
  const sockets = takeSockets()
  keepDescriptors()
  const identity = unitIdentity(options.unit)
  const others = placesFor?.(identity)
  const command = parseEngineCommand(options.command)
  const [settings, report] = await Promise.all([
    readUnitSettings(identity, host.passedOn, ANSWER_MS),
    // A command that is only shown has no need of an engine.
    command === undefined || options.print
      ? undefined
      : examineEngine(command, { env: host.passedOn, systemd: options.systemd }),
  ])
  if (report?.problem !== undefined)
    throw new BridgeError('ERR_BRIDGE_FAILED', report.problem.message)
  if (options.mainPid) checkMainPid(settings)
  if (options.systemd) checkSystemd(options, command, host)
  if (command === undefined) checkFirstProcess(options)
  else if (options.offerSockets) refuseOffer(command)
  const door = command && report && descriptorDoor(command, report)
  // Whoever cleans up for another bridge knows nothing of the unit's RuntimeDirectory=.
  const base = others === undefined ? baseDirectory(host.runtimeDirectory) : SYSTEM_DIRECTORY
  const path = join(base, fileNameOf(identity.id))
  const storeLimit = isStoreless(options, command) ? 0 : storeLimitOf(options, host, settings)
  // What is only shown, and what is started another time, is meant for a unit.
  const isForUnit = options.print || command?.verb === 'create' || host.notifySocket !== undefined
  const variables = variablesOf(isForUnit, host, storeLimit)
  const plan =
    command &&
    (await planContainer(command, {
      path,
      places: others,
      env: host.passedOn,
      containerDirectory: options.containerDirectory,
      variables: withSocket(variables, join(options.containerDirectory, socketName(options))),
      systemd: options.systemd,
      isClientMain: others !== undefined,
      fdNames: sockets.names,
      door,
      unit: identity.id,
      cgroupParent: cgroupForContainer(identity, settings, command, report?.cgroupDriver),
    }))
  if (plan !== undefined && !options.print) checkSockets(plan, sockets)
  const directory = plan?.directory ?? new PrivateDirectory(path)
  const places = others ?? directory
  return {
    options,
    host,
    sockets,
    identity,
    settings,
    conditions: startConditions(identity, settings),
    plan,
    directory,
    places,
    request: options.offerSockets ? newRequest(places.descriptorSocketPath) : plan?.request,
    warnings: [...(report?.warnings ?? []), ...(plan?.launch.warnings ?? [])],
    storeLimit,
    variables: withSocket(variables, places.socketPath),
  }
}

// Of a command that is no known engine's, nothing tells it, and all messages would wait for it.
function checkFirstProcess({ command, mainPid, senders }: RunOptions): void {
  const option = senders === 'init' ? '--senders init' : mainPid ? '--main-pid' : undefined
  if (option === undefined) return
  throw new BridgeError(
    'ERR_BRIDGE_USAGE',
    `${option}: expected a command of docker, nerdctl, podman, runc or crun, which tell a container's first process, found ${command[0]}: leave it out`,
  )
}

function refuseOffer({ engine, verb }: EngineCommand): never {
  throw new BridgeError(
    'ERR_BRIDGE_USAGE',
    `--offer-sockets: expected a command that sdbridge does not know, such as docker compose, found ${engine} ${verb}, to whose container the sockets go by themselves: leave it out`,
  )
}

function checkMainPid({ notifyAccess, killMode }: UnitSettings): void {
  if (process.geteuid!() !== 0) {
    throw refusedMainPid(
      'the service manager takes a process of a container from root only, and this is not root: leave it out',
    )
  }
  if (notifyAccess !== undefined && notifyAccess !== 'all') {
    throw refusedMainPid(
      `the unit has NotifyAccess=${notifyAccess}, which shuts the bridge out once it is not the main process any more: set NotifyAccess=all`,
    )
  }
  if (killMode !== undefined && killMode !== 'control-group') {
    throw refusedMainPid(
      `the unit has KillMode=${killMode}, by which only the payload hears of a stop, and the bridge is killed: set KillMode=control-group`,
    )
  }
}

function refusedMainPid(why: string): BridgeError {
  return new BridgeError('ERR_BRIDGE_USAGE', `--main-pid: ${why}`)
}

// What is told by a variable counts, then what the unit says; then nothing is known, and what is asked for is tried.
function storeLimitOf(
  { storeLimit = Infinity }: RunOptions,
  host: HostEnvironment,
  settings: UnitSettings,
): number {
  const ofUnit = host.storeLimit ?? settings.storeLimit
  if (ofUnit === undefined) return storeLimit === Infinity ? 0 : storeLimit
  return Math.min(ofUnit, storeLimit)
}

/**
 * systemd stores what its units store, each time anew. Of an engine that gives nothing back, the unit's store would only become full.
 */
function isStoreless({ systemd }: RunOptions, command: EngineCommand | undefined): boolean {
  return systemd && command !== undefined && !canPassFds(command)
}

function socketName({ systemd }: RunOptions): string {
  return systemd ? SYSTEMD_SOCKET : 'notify.sock'
}

function variablesOf(
  isForUnit: boolean,
  { watchdogUsec }: HostEnvironment,
  storeLimit: number,
): Record<string, string> {
  return {
    ...(isForUnit ? { NOTIFY_SOCKET: '' } : {}),
    ...(watchdogUsec === undefined ? {} : { WATCHDOG_USEC: watchdogUsec }),
    ...(storeLimit === 0 ? {} : { FDSTORE: String(storeLimit) }),
  }
}

function withSocket(variables: Record<string, string>, path: string): Record<string, string> {
  return 'NOTIFY_SOCKET' in variables ? { ...variables, NOTIFY_SOCKET: path } : variables
}
