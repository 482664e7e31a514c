import { readUnitSettings } from '../run/unit-settings.js'
import type { HostEnvironment } from '../run/host-environment.js'
import type { UnitIdentity } from '../run/unit-identity.js'

const ANSWER_MS = 5000

/** How many descriptors the daemon may store: `FileDescriptorStoreMax=` of its unit, which a variable tells since systemd 254. */
export async function ownStoreLimit(
  { notifySocket, passedOn, storeLimit }: HostEnvironment,
  identity: UnitIdentity,
): Promise<number> {
  if (notifySocket === undefined) return 0
  if (storeLimit !== undefined) return storeLimit
  const settings = await readUnitSettings(identity, passedOn, ANSWER_MS)
  return settings.storeLimit ?? 0
}
