import { descriptorDoor } from '../engines/descriptor-door.js'
import { type EngineReport, examineEngine } from '../engines/engine-problem.js'
import { findPreparedContainer } from '../engines/prepared-container.js'
import { isSwitchedOn, optionValue, type EngineCommand } from '../engines/engine-command.js'
import { runCommand } from '../engines/command-outcome.js'
import { hasProgram } from '../run/program-file.js'
import { parseTimespan } from '../run/unit-settings.js'
import { endOfShell, shellScript } from './bridge-command.js'
import type { BridgedUnit } from './bridged-unit.js'
import { type Diagnosis, fault, hint, risk } from './diagnosis.js'

const ANSWER_MS = 15_000

/** Asks the engine of a unit, as the unit's processes would, whether it can do what is asked of it. */
export async function checkEngine(bridged: BridgedUnit): Promise<Diagnosis[]> {
  const { command, options, state } = bridged
  if (command === undefined) return []
  if (!hasProgram(command.file, state.environment))
    return [
      fault(
        'engine-missing',
        `${command.file} is not in the service manager’s PATH (${state.environment['PATH'] ?? ''})`,
        'install it, or write its whole path',
      ),
    ]
  const systemd = options?.systemd === true
  const report = await examineEngine(command, { env: state.environment, systemd })
  if (report.problem !== undefined) {
    const [found, ...remedy] = report.problem.message.split(/: (?=expected )/)
    return [fault(`engine-${report.problem.code}`, found!, remedy[0] ?? UNREACHABLE)]
  }
  return [
    ...(await checkVersion(bridged)),
    ...report.warnings.map((warning) => {
      const [found, remedy] = warning.split('; ')
      return hint('live-restore', found!, remedy ?? 'none is needed')
    }),
    ...(await checkSockets(bridged, report)),
    ...checkDelegate(bridged, report.cgroupDriver),
    ...checkOrder(bridged),
    ...(await checkImage(bridged)),
  ]
}

const REMEDY = {
  docker: 'sdbridge runtime install --docker, and --runtime=sdbridge',
  nerdctl: 'sdbridge runtime install, and --runtime with the path that it prints',
}

// What is wrong with a container that was created for another purpose is said by its plan.
async function checkSockets(
  { command, sockets, state }: BridgedUnit,
  report: EngineReport,
): Promise<Diagnosis[]> {
  const { engine, verb } = command!
  if ((engine !== 'docker' && engine !== 'nerdctl') || sockets.length === 0) return []
  const isAsking =
    verb === 'start'
      ? await asksForDescriptors(command!, state.environment)
      : descriptorDoor(command!, report) !== undefined
  if (isAsking) return []
  return [
    fault(
      'sockets',
      `${sockets.join(', ')}: ${engine} carries no descriptors, and nothing fetches them for the container`,
      `${REMEDY[engine]}${verb === 'start' ? ', when it is created' : ''}; or use podman, runc or crun; or publish ports, and remove the .socket unit`,
    ),
  ]
}

async function asksForDescriptors(
  command: EngineCommand,
  env: NodeJS.ProcessEnv,
): Promise<boolean> {
  try {
    return (await findPreparedContainer(command, env)).request !== undefined
  } catch {
    return false
  }
}

const UNREACHABLE = 'start it, and see that this user may talk to it'

/** Older ones lack an option that the bridge adds. */
const LEAST_VERSIONS: Record<EngineCommand['engine'], readonly [version: string, lacks: string]> = {
  docker: ['17.6', '--mount'],
  nerdctl: ['1.0', '--cidfile with --label'],
  podman: ['2.1', '--cgroups=split'],
  runc: ['1.0', '--preserve-fds'],
  crun: ['0.15', '--preserve-fds'],
}

async function checkVersion({ command, state }: BridgedUnit): Promise<Diagnosis[]> {
  const { engine, file } = command!
  const { stdout } = await runCommand({ file, args: ['--version'] }, state.environment, ANSWER_MS)
  const found = /\b(\d+)\.(\d+)/.exec(stdout)
  const [least, lacks] = LEAST_VERSIONS[engine]
  const [major = 0, minor = 0] = least.split('.').map(Number)
  if (found === null) return []
  const isOld = Number(found[1]) < major || (Number(found[1]) === major && Number(found[2]) < minor)
  if (!isOld) return []
  return [
    fault('engine-version', `${engine} ${found[0]} has no ${lacks}`, `expected ${least} or newer`),
  ]
}

function checkDelegate(
  { command, value, options }: BridgedUnit,
  driver: string | undefined,
): Diagnosis[] {
  const { engine } = command!
  const isDelegated = value('Delegate') === 'yes'
  const isDocker = engine === 'docker' || engine === 'nerdctl'
  if (isDocker && driver === 'systemd' && isDelegated)
    return [
      hint(
        'delegate',
        'Delegate=yes changes nothing: with its cgroup driver systemd, docker makes containers a cgroup elsewhere',
        'none is needed; or set native.cgroupdriver=cgroupfs in daemon.json',
      ),
    ]
  const isUseful = !isDocker || driver === 'cgroupfs'
  if (!isUseful || isDelegated || options?.mainPid === true) return []
  return [
    risk(
      'delegate',
      'without Delegate=yes the container’s cgroup is not below the unit’s: limits such as MemoryMax= do not hold for it, and it can outlive the unit',
      'set Delegate=yes',
    ),
  ]
}

function checkOrder({ command, state, value }: BridgedUnit): Diagnosis[] {
  const isAfter = value('After').split(' ').includes('docker.service')
  if (command!.engine !== 'docker' || state.user || isAfter) return []
  return [
    risk(
      'after-docker',
      'no After=docker.service: at boot it may start before dockerd, and at shutdown dockerd may go first',
      'set Requires=docker.service and After=docker.service',
    ),
  ]
}

interface ImageConfig {
  Entrypoint?: string[] | null
  Cmd?: string[] | null
}

async function checkImage(bridged: BridgedUnit): Promise<Diagnosis[]> {
  const command = bridged.command!
  const { engine, file, globals, operands, verb } = command
  if (verb === 'start' || engine === 'runc' || engine === 'crun') return []
  const [image = '', ...payload] = operands
  const { code, stdout, reason } = await runCommand(
    { file, args: [...globals, 'image', 'inspect', '--format', '{{json .Config}}', image] },
    bridged.state.environment,
    ANSWER_MS,
  )
  if (code === 0) return checkPayload(bridged, JSON.parse(stdout) as ImageConfig, payload)
  return /no such image|not known|not found/i.test(reason) ? checkPull(bridged, image) : []
}

function checkPull({ command, options, state, value }: BridgedUnit, image: string): Diagnosis[] {
  if (optionValue(command!, 'pull') === 'never')
    return [fault('image', `${image} is not here, and --pull=never`, `pull or load ${image}`)]
  const seconds = parseTimespan(value('TimeoutStartUSec')) ?? Infinity
  const pullsBefore = state.startPre.some((words) => words.includes('pull'))
  if (!options!.daemon && pullsBefore && seconds !== Infinity)
    return [
      risk(
        'start-timeout',
        `${image} is not here, and ExecStartPre= has TimeoutStartSec=${seconds} to pull it: there is no bridge yet that could extend it`,
        'leave ExecStartPre= out: the bridge extends the time-out while the engine pulls',
      ),
    ]
  if (options!.daemon && seconds !== Infinity)
    return [
      risk(
        'start-timeout',
        `${image} is not here, and its pull counts for TimeoutStartSec=${seconds}: with --daemon there is nobody who could extend it`,
        'pull it now, or set a longer TimeoutStartSec=',
      ),
    ]
  const isExtended = options!.pullLimitSec > 0 && seconds > EXTENDED_AFTER_SEC
  const isTimed = value('Type').startsWith('notify') && seconds !== Infinity
  if (!isTimed || isExtended) return []
  const why =
    options!.pullLimitSec === 0 ? '--pull-limit 0' : `in ${EXTENDED_AFTER_SEC} s it is not extended`
  return [
    risk(
      'start-timeout',
      `${image} is not here, and its pull counts for TimeoutStartSec=${seconds} (${why})`,
      'pull it now, set TimeoutStartSec=90, and leave --pull-limit out',
    ),
  ]
}

/** As PullExtension waits. */
const EXTENDED_AFTER_SEC = 4

function checkPayload(
  { command, sockets }: BridgedUnit,
  { Entrypoint, Cmd }: ImageConfig,
  given: readonly string[],
): Diagnosis[] {
  const entrypoint = optionValue(command!, 'entrypoint')
  const first = entrypoint === undefined ? (Entrypoint ?? []) : [entrypoint].filter(Boolean)
  const last = given.length > 0 || entrypoint !== undefined ? given : (Cmd ?? [])
  const script = shellScript([...first, ...last])
  if (script === undefined || sockets.length === 0 || isSwitchedOn(command!, 'init')) return []
  const end = endOfShell(script)
  if (end === 'exec') return []
  return [
    (end === 'parent' ? fault : risk)(
      'listen-pid',
      `the container starts a shell (${script.slice(0, 60)}), which LISTEN_PID=1 names, and not the payload${end === 'last' ? ', unless the shell becomes it' : ''}`,
      'begin its last command with exec, or write the command as a list: ["node", "server.js"]',
    ),
  ]
}
