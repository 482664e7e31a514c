import { join } from 'node:path'
import { makeNotifyDirectory } from '../daemon/notify-directory.js'
import { notifyDirectoryOf } from '../daemon/places.js'
import { BridgeError } from '../run/bridge-error.js'
import { fileNameOf } from '../run/private-directory.js'
import type { UnitNotification } from './unit-notification.js'
import { readUnitTold } from './unit-told.js'

/** Which container it is: by the unit that its annotation names, or by a name of its own, or both. */
export interface DaemonNames {
  /** `web.service`, or `web`; `undefined` where the unit itself starts the container. */
  readonly unit: string | undefined
  /** What the daemon calls the container; `undefined` for a name made of the unit's. */
  readonly name: string | undefined
}

/** What a container needs that the daemon bridges. */
export interface DaemonNotification extends Omit<UnitNotification, 'unit'> {
  /** `web.service`; `undefined` where the unit itself starts the container. */
  readonly unit: string | undefined
}

/**
 * What a container needs that the daemon is to bridge. Nothing of it need be at work yet.
 *
 * @throws BridgeError if there is no such unit, or no answer.
 */
export async function daemonNotification(
  { unit: asked, name }: DaemonNames,
  containerDirectory: string,
): Promise<DaemonNotification> {
  const told =
    asked === undefined
      ? { unit: undefined, variables: {} }
      : await readUnitTold(asked, 'write it, and systemctl daemon-reload')
  const own = name ?? fileNameOf(told.unit ?? '')
  return {
    unit: told.unit,
    mount: { source: notifyDirectoryOf(own), target: containerDirectory },
    variables: { NOTIFY_SOCKET: join(containerDirectory, 'notify.sock'), ...told.variables },
  }
}

/**
 * Makes the directory, which must be there before the container is: runtimes mount it before they call a hook.
 *
 * @throws BridgeError
 */
export function makeMountSource({ mount: { source } }: DaemonNotification): void {
  try {
    makeNotifyDirectory(source)
  } catch (error) {
    throw new BridgeError('ERR_BRIDGE_FAILED', (error as Error).message, { cause: error })
  }
}
