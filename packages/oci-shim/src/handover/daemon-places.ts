import {
  descriptorSocketOf,
  notifyDirectoryOf,
  notifySocketOf,
  type Places,
  PLACES,
} from '../daemon/places.js'
import { BridgeError } from '../run/bridge-error.js'
import type { ContainerPlaces } from '../run/container-places.js'
import { fileNameOf } from '../run/private-directory.js'
import type { UnitIdentity } from '../run/unit-identity.js'

/** What the daemon knows the container of a unit by. */
export function daemonNameOf({ id }: Pick<UnitIdentity, 'id'>): string {
  return fileNameOf(id)
}

/** Where the daemon is for the container of a unit. */
export function daemonPlaces(identity: UnitIdentity, places: Places = PLACES): ContainerPlaces {
  const name = daemonNameOf(identity)
  return {
    notifyDirectory: notifyDirectoryOf(name, places),
    socketPath: notifySocketOf(name, places),
    descriptorSocketPath: descriptorSocketOf(places),
  }
}

/** @throws BridgeError for what is in no unit of the system's: the daemon speaks for those alone. */
export function checkUnit({ manager, unit }: UnitIdentity): void {
  const uid = process.geteuid!()
  if (uid !== 0)
    throw new BridgeError(
      'ERR_BRIDGE_USAGE',
      `--daemon: expected to be root, whom alone the daemon hears, found user ${uid}: leave it, or User= of the unit, out`,
    )
  if (unit !== undefined && manager === 'system') return
  const found = unit === undefined ? 'none' : `${unit} of a user's`
  throw new BridgeError(
    'ERR_BRIDGE_USAGE',
    `--daemon: expected to be started by a unit of the system's service manager, in whose name the daemon speaks, found ${found}: leave it out`,
  )
}
