import { release } from 'node:os'
import { type CommandOutcome, runCommand } from './command-outcome.js'
import type { EngineCommand } from './engine-command.js'

/** Why a container of this engine cannot be bridged. */
export interface EngineProblem {
  /**
   * - `remote`: the container would be in another kernel, or there is no telling.
   * - `other-user`: the engine is of a user, and this is not that user.
   * - `other-engine`: the program is another one by this name.
   * - `unreachable`: the engine does not answer.
   * - `version`, `maps-users`: what only systemd as the payload asks for; the engine is too old, or gives its containers other users.
   */
  readonly code: 'remote' | 'other-user' | 'other-engine' | 'unreachable' | 'version' | 'maps-users'
  /** One line: what was expected, what was found, and what to do. */
  readonly message: string
}

/** What an engine says of itself. */
export interface EngineReport {
  readonly problem: EngineProblem | undefined
  /** Lines on what works with limits. */
  readonly warnings: readonly string[]
  /** Which of the two makes a container's cgroup; `undefined` if the engine does not say. A parent is a slice for systemd, a path for cgroupfs. */
  readonly cgroupDriver: 'cgroupfs' | 'systemd' | undefined
  /** The low-level runtimes that it knows by a name, and their programs; of docker only. */
  readonly runtimes: ReadonlyMap<string, string>
  /** The name of the one that it uses where the command line names none. */
  readonly defaultRuntime: string | undefined
  /** Whether its containers can have annotations (docker 24 and newer). */
  readonly annotates: boolean
}

export interface ExamineOptions {
  /** The engine's environment: `DOCKER_HOST`, `DOCKER_CONTEXT`, `CONTAINER_HOST` count. Default: this process', without `NOTIFY_SOCKET`. */
  env?: NodeJS.ProcessEnv
  /** How long each question may take. Default 10 s. */
  timeoutMs?: number
  /** Whether the payload is to be systemd, which takes more. Default false. */
  systemd?: boolean
}

/**
 * Asks an engine, by its own client, whether its containers can be bridged: a directory of this host is to be bound into them, and their
 * processes are to be seen from here. runc and crun are no engines to ask, and nerdctl talks to this host's containerd only.
 */
export async function examineEngine(
  command: EngineCommand,
  options: ExamineOptions = {},
): Promise<EngineReport> {
  const {
    env = { ...process.env, NOTIFY_SOCKET: undefined },
    timeoutMs = 10_000,
    systemd = false,
  } = options
  const { file, globals } = command
  const ask: Ask = (...args) => runCommand({ file, args: [...globals, ...args] }, env, timeoutMs)
  if (command.engine === 'docker') return await examineDocker(ask, systemd)
  if (command.engine === 'podman') return await examinePodman(command, ask, env)
  return { ...report(), annotates: command.engine === 'nerdctl' }
}

type Ask = (...args: string[]) => Promise<CommandOutcome>

async function examineDocker(ask: Ask, systemd: boolean): Promise<EngineReport> {
  // Of all that may name another host, options, variables and contexts, the client itself knows which one counts.
  const endpoint = await ask('context', 'inspect', '--format', '{{json .Endpoints.docker.Host}}')
  if (endpoint.isMissing) return report()
  const host = textOf(parse(endpoint.stdout))
  if (host === undefined && endpoint.code !== 0 && endpoint.code !== 125)
    return report(unreachable('docker', endpoint.reason))
  if (host !== undefined && !host.startsWith('unix://')) {
    return report({
      code: 'remote',
      message: `docker talks to ${host}: expected a daemon on this host, at unix://…: unset DOCKER_HOST and DOCKER_CONTEXT, or give docker --host unix:///var/run/docker.sock`,
    })
  }
  const answer = await ask('info', '--format', '{{json .}}')
  const info = objectOf(parse(answer.stdout))
  if (objectOf(info?.['host']) !== undefined) {
    return report({
      code: 'other-engine',
      message: 'docker is podman here, which has options of its own for a unit: write podman',
    })
  }
  const version = textOf(info?.['ServerVersion'])
  if (info === undefined || version === undefined || version === '') {
    const errors = info?.['ServerErrors']
    const first: unknown = Array.isArray(errors) ? errors[0] : undefined
    const reason = textOf(first) ?? answer.reason
    return report(
      unreachable(
        'docker',
        `${reason}; its service must run (After=docker.service), and this user may talk to it`,
      ),
    )
  }
  const judgement = judgeDocker(info)
  if (judgement.problem !== undefined || !systemd) return judgement
  return { ...judgement, problem: dockerForSystemd(version, info) }
}

function judgeDocker(info: Record<string, unknown>): EngineReport {
  const kernel = textOf(info['KernelVersion'])
  if (textOf(info['OSType']) !== 'linux' || kernel !== release())
    return report(otherKernel('docker', kernel))
  if (hasSecurity(info, 'rootless') && process.geteuid?.() === 0) {
    return report({
      code: 'other-user',
      message:
        "docker talks to a rootless daemon, and this is root: expected the daemon of the system, or this unit in that user's service manager (systemctl --user)",
    })
  }
  const warnings = info['LiveRestoreEnabled'] === true ? [LIVE_RESTORE] : []
  const driver = textOf(info['CgroupDriver'])
  return {
    problem: undefined,
    warnings,
    cgroupDriver: driverOf(driver),
    runtimes: runtimesOf(info),
    defaultRuntime: textOf(info['DefaultRuntime']),
    annotates: annotates(info['ServerVersion']) && annotates(clientVersionOf(info)),
  }
}

function runtimesOf(info: Record<string, unknown>): Map<string, string> {
  const entries = Object.entries(objectOf(info['Runtimes']) ?? {}).flatMap(([name, value]) => {
    const path = textOf(objectOf(value)?.['path'])
    return path === undefined ? [] : [[name, path] as const]
  })
  return new Map(entries)
}

function clientVersionOf(info: Record<string, unknown>): unknown {
  return objectOf(info['ClientInfo'])?.['Version']
}

function annotates(version: unknown): boolean {
  return Number.parseInt(textOf(version) ?? '', 10) >= 24
}

// Both are dockerd's own refusals, in words that tell what to do; its last word is before anything is made.
function dockerForSystemd(
  version: string,
  info: Record<string, unknown>,
): EngineProblem | undefined {
  const [major = 0] = version.split('.').map(Number)
  // Debian's has the option from 26.1 on.
  const least = version.includes('+dfsg') ? 26 : 28
  if (major < least) {
    return {
      code: 'version',
      message: `docker ${version} has no --security-opt writable-cgroups, without which systemd cannot make cgroups: expected 28.0 or newer; or take podman`,
    }
  }
  const cause = ['userns', 'rootless'].find((name) => hasSecurity(info, name))
  if (cause === undefined) return undefined
  return {
    code: 'maps-users',
    message: `${cause === 'userns' ? 'dockerd has userns-remap' : 'dockerd is rootless'}, and then gives no container a cgroup to write to, with --userns=host neither, which systemd needs: expected a dockerd of root without userns-remap; or take podman or crun`,
  }
}

function hasSecurity(info: Record<string, unknown>, name: string): boolean {
  const options = Array.isArray(info['SecurityOptions']) ? info['SecurityOptions'] : []
  return options.some((each) => new RegExp(`(?:^|,)name=${name}(?:,|$)`).test(String(each)))
}

const LIVE_RESTORE =
  'dockerd has live-restore: the container goes on while dockerd restarts, and the bridge follows it; a unit with Requires=docker.service is restarted all the same'

async function examinePodman(
  command: EngineCommand,
  ask: Ask,
  env: NodeJS.ProcessEnv,
): Promise<EngineReport> {
  const option = command.globalOptions.find(
    ({ name, value }) =>
      ['url', 'connection'].includes(name) || (name === 'remote' && value !== 'false'),
  )
  const variable = ['CONTAINER_HOST', 'CONTAINER_CONNECTION'].find(
    (name) => env[name] !== undefined,
  )
  const cause = option === undefined ? variable : `--${option.name}`
  if (cause !== undefined) return report(remotePodman(cause))

  const answer = await ask('info', '--format', 'json')
  if (answer.isMissing) return report()
  const host = objectOf(objectOf(parse(answer.stdout))?.['host'])
  if (host === undefined) {
    return report(unreachable('podman', answer.reason))
  }
  if (host['serviceIsRemote'] === true) return report(remotePodman('containers.conf'))
  const kernel = textOf(host['kernel'])
  if (kernel !== undefined && kernel !== release()) return report(otherKernel('podman', kernel))
  return { ...report(), cgroupDriver: driverOf(textOf(host['cgroupManager'])) }
}

function unreachable(engine: string, reason: string): EngineProblem {
  return { code: 'unreachable', message: `${engine} does not answer: ${reason}` }
}

function remotePodman(cause: string): EngineProblem {
  return {
    code: 'remote',
    message: `podman talks to a service (${cause}): expected podman to run its containers itself: take that away`,
  }
}

function otherKernel(engine: string, kernel: string | undefined): EngineProblem {
  return {
    code: 'remote',
    message: `${engine} runs its containers under Linux ${kernel ?? 'of another host'}, and this host is ${release()}: expected an engine on this host, and not in a virtual machine`,
  }
}

function report(problem?: EngineProblem): EngineReport {
  return {
    problem,
    warnings: [],
    cgroupDriver: undefined,
    runtimes: new Map(),
    defaultRuntime: undefined,
    annotates: false,
  }
}

function driverOf(text: string | undefined): EngineReport['cgroupDriver'] {
  return text === 'cgroupfs' || text === 'systemd' ? text : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)
    : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
