import { basename } from 'node:path'
import { execve, type SystemError } from '@sdbridge/syscalls'
import { depositDescriptors } from '../broker/deposit-descriptors.js'
import { callDaemon } from '../control/call-daemon.js'
import { controlSocketOf } from '../daemon/places.js'
import type { Command } from '../engines/launch.js'
import { childVariables } from '../run/child-variables.js'
import { engineUnitsOf } from '../run/descriptor-offer.js'
import { removeLeftovers, removeNotedContainer } from '../run/leftovers.js'
import { tellNotes } from '../run/operator-notes.js'
import { fillPlaceholders } from '../run/placeholders.js'
import type { PreparedRun } from '../run/prepare-run.js'
import { resolveProgram } from '../run/program-file.js'
import { stateOf } from '../run/run-state.js'
import { startFailure } from '../run/start-failure.js'
import { noteProcess } from '../run/start-ticks.js'
import { writeState } from '../run/state-file.js'
import { makeRoomForContainer } from '../run/unit-cgroup.js'
import { daemonNameOf } from './daemon-places.js'
import { engineVariables } from './engine-variables.js'

/**
 * Hands over to the daemon what was planned, and becomes the engine's client. What an earlier run has left is removed first. From there on the daemon holds
 * this process, the unit's main one: when it has ended, whatever has ended it, `sdbridge cleanup` removes the container by what is noted here.
 *
 * @throws BridgeError, EngineError, Error that says what is in the way: nothing is left of it then.
 */
export async function becomeClient(prepared: PreparedRun): Promise<never> {
  const { directory, host, identity, options, places, plan } = prepared
  const env = host.passedOn
  tellNotes(prepared)
  const command = plan?.launch ?? fillPlaceholders(options.command, places)
  const program = resolveProgram(command.file, env)
  directory.checkIsFree()
  await removeNotedContainer(directory, env)
  if (plan !== undefined) await removeLeftovers(plan.command, plan.launch, identity.id, env)

  directory.make({ hasNotifyDirectory: false })
  try {
    writeState(directory.path, {
      ...stateOf(prepared),
      client: noteProcess(process.pid),
      environment: engineVariables(env),
      mountpoints: plan?.launch.mountpoints ?? [],
    })
    await register(prepared)
    await plan?.launch.prepare()
    await deposit(prepared)
    // podman does that itself, below the cgroup that it finds itself in.
    if (plan?.cgroup !== undefined && plan.launch.engine !== 'podman')
      makeRoomForContainer(plan.cgroup)
    become(program, command, prepared)
  } catch (error) {
    directory.remove()
    throw error
  }
}

/** @throws Error as the daemon says it. */
async function register({ identity, options, plan }: PreparedRun): Promise<void> {
  const name = daemonNameOf(identity)
  const engine = plan?.launch.engine ?? basename(options.command[0] ?? '')
  const id = plan?.launch.container.name ?? name
  await callDaemon(controlSocketOf(), {
    command: 'register',
    name,
    container: { id, engine },
    isRemoved: true,
  })
}

async function deposit({ identity, options, plan, request, sockets }: PreparedRun): Promise<void> {
  if (request === undefined || sockets.fds.length === 0) return
  const { fds, names } = sockets
  await depositDescriptors(
    request.path,
    { fds: fds.map(({ fd }) => fd), names },
    {
      id: request.id,
      deposit: daemonNameOf(identity),
      engineUnits: engineUnitsOf(plan?.launch.engine, options),
    },
  )
}

function become(program: string, { args, file }: Command, prepared: PreparedRun): never {
  const { conditions, host, plan, request, sockets } = prepared
  const isPassed = plan?.launch.passesFds !== false && request === undefined
  const fds = isPassed ? sockets.fds.map(({ fd }, index) => [3 + index, fd]) : []
  const variables = childVariables(prepared)
  try {
    return execve(program, args, {
      argv0: file,
      env: {
        ...host.passedOn,
        ...variables,
        // This process' own number, which it keeps.
        ...('LISTEN_FDS' in variables && { LISTEN_PID: String(process.pid) }),
      },
      fds: Object.fromEntries(fds),
      state: { ...conditions, blockedSignals: [] },
    })
  } catch (error) {
    throw startFailure(program, error as SystemError)
  }
}
