import { join } from 'node:path'
import { baseDirectory, fileNameOf, PrivateDirectory } from '../run/private-directory.js'
import { readUnitTold } from './unit-told.js'

/** What a container needs to notify for a unit of the system's service manager, whoever starts it. */
export interface UnitNotification {
  /** `web.service`, by its own name where an alias was given. */
  readonly unit: string
  /** The directory of the host that the unit's bridge makes, and where it appears inside. */
  readonly mount: { readonly source: string; readonly target: string }
  /** What a service is told: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` and `FDSTORE` if the unit has these. */
  readonly variables: Readonly<Record<string, string>>
}

/**
 * Asks the service manager about a unit whose main process is `sdbridge run` with a command that it does not know.
 *
 * @param name `web.service`, or `web`.
 * @param containerDirectory Where the socket's directory appears inside.
 * @throws BridgeError if there is no such unit, or no answer.
 */
export async function unitNotification(
  name: string,
  containerDirectory: string,
): Promise<UnitNotification> {
  const remedy = 'write it, with sdbridge run in its ExecStart=, and systemctl daemon-reload'
  const { unit, runtimeDirectory, variables } = await readUnitTold(name, remedy)
  const base = baseDirectory(
    runtimeDirectory === undefined ? undefined : join('/run', runtimeDirectory),
  )
  const { notifyDirectory } = new PrivateDirectory(join(base, fileNameOf(unit)))
  return {
    unit,
    mount: { source: notifyDirectory, target: containerDirectory },
    variables: { NOTIFY_SOCKET: join(containerDirectory, 'notify.sock'), ...variables },
  }
}
