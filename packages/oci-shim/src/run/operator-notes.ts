import { canPassFds, type EngineCommand } from '../engines/engine-command.js'
import { BridgeError } from './bridge-error.js'
import type { ContainerPlan } from './container-plan.js'
import type { ContainerSockets } from './container-sockets.js'
import { tell } from './operator-log.js'
import type { PreparedRun } from './prepare-run.js'

/** @throws BridgeError if the unit has sockets that its engine has no way to pass on. */
export function checkSockets(
  { command, request }: ContainerPlan,
  { fds, names, stored }: ContainerSockets,
): void {
  if (fds.length === 0 || canPassFds(command) || request !== undefined) return
  const { engine, verb } = command
  const own = fds.length - stored.length
  if (own > 0) {
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `${engine} ${verb}: the unit has ${own} socket(s) for its container (${names.join(', ')}), and ${engine} ${verb} ${wayOut(command)}`,
    )
  }
  tell(
    `${engine} ${verb}: ${stored.length} descriptor(s) of the unit's store do not go back to the container, which ${wayOut(command)}`,
  )
}

function wayOut({ engine, verb }: EngineCommand): string {
  if (engine === 'runc' || engine === 'crun')
    return `passes none on: use ${engine} run, or ${engine} create in the unit`
  if (verb === 'start')
    return 'passes none on to a container that was created without sdbridge runtime: create it anew, by sdbridge run, with that as its runtime'
  return `carries no descriptors: install a runtime that fetches them (sdbridge runtime install --${engine === 'docker' ? 'docker' : 'containerd'}), use podman, or publish ports and leave the .socket unit out`
}

/** Says what is not as it seems. */
export function tellNotes({ host, options, plan, warnings }: PreparedRun): void {
  for (const warning of warnings) tell(warning)
  if (plan === undefined) {
    tell(
      `${options.command[0]} starts no container that sdbridge knows how to bridge: it gets NOTIFY_SOCKET as the host has it`,
    )
  }
  if (host.notifySocket === undefined && plan?.launch.verb !== 'create') {
    tell(
      'NOTIFY_SOCKET is not set, so nobody hears what is notified: a unit needs Type=notify or NotifyAccess=main',
    )
  }
}
