import { existsSync } from 'node:fs'
import { canPassFds, isSwitchedOn } from '../engines/engine-command.js'
import { planContainer } from '../run/container-plan.js'
import { hasProgram } from '../run/program-file.js'
import type { BridgedUnit } from './bridged-unit.js'
import { type Diagnosis, fault, hint, risk } from './diagnosis.js'

/** Judges how a unit starts its bridge, and what the bridge would make of its command. */
export async function checkCommand(bridged: BridgedUnit): Promise<Diagnosis[]> {
  return [
    ...checkShell(bridged),
    ...checkProgram(bridged),
    ...checkSockets(bridged),
    ...(await checkPlan(bridged)),
  ]
}

function checkShell({ bridge, sockets }: BridgedUnit): Diagnosis[] {
  if (bridge.shell === 'none' || bridge.shell === 'exec') return []
  const sentence =
    sockets.length > 0
      ? 'LISTEN_PID= names the shell, and NotifyAccess=main lets only it speak'
      : 'NotifyAccess=main lets only the shell speak'
  if (bridge.shell === 'parent')
    return [
      fault(
        'shell',
        `a shell starts the bridge and stays its parent: ${sentence}`,
        'start sdbridge by ExecStart= itself, or end the script in: exec sdbridge run …',
      ),
    ]
  return [
    risk(
      'shell',
      `a shell starts the bridge, and not every shell becomes the last command that it runs; of one that does not, ${sentence}`,
      'start sdbridge by ExecStart= itself, or write exec in front of it',
    ),
  ]
}

function checkProgram({ bridge, state }: BridgedUnit): Diagnosis[] {
  const path = state.environment['PATH']
  const [first = '', ...rest] = bridge.program
  const missing = [first, ...rest.filter((word) => word.startsWith('/'))].find((word) =>
    word.includes('/') ? !existsSync(word) : !hasProgram(word, state.environment),
  )
  if (missing !== undefined)
    return [
      fault(
        'program',
        `${missing} is not there${missing.includes('/') ? '' : ` in the service manager’s PATH (${path ?? ''})`}`,
        'write the path where it is; sdbridge unit prints a unit with the right ones',
      ),
    ]
  const isScript = rest.length === 0 && first.includes('/')
  if (!isScript || hasProgram('node', state.environment)) return []
  return [
    fault(
      'program',
      `${first} is a script of node, which is not in the service manager’s PATH (${path ?? ''})`,
      `write ExecStart=${process.execPath} ${first} run …, as sdbridge unit does`,
    ),
  ]
}

function checkSockets({ command, sockets }: BridgedUnit): Diagnosis[] {
  if (command === undefined || sockets.length === 0) return []
  const { engine, verb } = command
  const named = sockets.join(', ')
  const isRuntime = engine === 'runc' || engine === 'crun'
  if (isRuntime && !canPassFds(command))
    return [
      fault(
        'sockets',
        `${named}: ${engine} ${verb} has no way to pass a socket into a container`,
        `use ${engine} run`,
      ),
    ]
  if (!isSwitchedOn(command, 'init')) return []
  return [
    fault(
      'listen-pid',
      `${named}: with --init the payload is process 2 of its container, and LISTEN_PID=1 names another`,
      'leave --init out',
    ),
  ]
}

async function checkPlan({ command, options, state, bridge }: BridgedUnit): Promise<Diagnosis[]> {
  if (options === undefined) return []
  if (command === undefined)
    return [
      hint(
        'other-command',
        `${options.command[0] ?? ''} is no engine that sdbridge knows: it gets NOTIFY_SOCKET, and what it starts is its own affair`,
        'none is needed if that is meant; else docker, podman, runc or crun with run',
      ),
    ]
  try {
    // It writes nothing.
    const plan = await planContainer(command, {
      path: '/run/sdbridge/doctor',
      containerDirectory: options.containerDirectory,
      variables: {},
      fdNames: [],
      door: undefined,
      env: state.environment,
      unit: state.unit,
      cgroupParent: undefined,
      systemd: options.systemd,
      isClientMain: options.daemon,
    })
    return plan.launch.warnings.map((warning) =>
      hint('command', warning, 'none is needed if that is meant'),
    )
  } catch (error) {
    return [
      fault(
        'command',
        (error as Error).message,
        `correct it: sdbridge run ${bridge.words.join(' ')}`,
      ),
    ]
  }
}
