import { BridgeError } from './bridge-error.js'
import { tell } from './operator-log.js'
import type { PreparedRun } from './prepare-run.js'

/** @throws BridgeError if the unit has sockets that its engine has no way to pass on. */
export function checkSockets({ plan, sockets }: PreparedRun): void {
  if (plan === undefined || plan.launch.passesFds || sockets.fds.length === 0) return
  const { engine, verb } = plan.launch
  const own = sockets.fds.length - sockets.stored.length
  if (own > 0) {
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `${engine} ${verb}: the unit has ${own} socket(s) for its container (${sockets.names.join(', ')}), and ${engine} has no way to pass descriptors on yet: use podman, runc or crun, or publish ports and leave the .socket unit out`,
    )
  }
  tell(
    `${engine} ${verb}: ${sockets.stored.length} descriptor(s) of the unit's store do not go back to the container, as ${engine} has no way to pass descriptors on yet`,
  )
}

/** Says what is not as it seems. */
export function tellNotes({ host, options, plan }: PreparedRun): void {
  for (const warning of plan?.launch.warnings ?? []) tell(warning)
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
