import { BridgeError } from '../run/bridge-error.js'
import type { JsonObject } from '../runtime/exact-json.js'

/**
 * The unit that an annotation of a container names; `undefined` without it.
 *
 * @throws BridgeError if it is no name of a unit.
 */
export function annotatedUnit(annotations: JsonObject, annotation: string): string | undefined {
  const unit = annotations[annotation]
  if (unit === undefined) return undefined
  if (typeof unit === 'string' && /^[\w:.\\@-]{1,255}$/.test(unit)) return unit
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    `annotation ${annotation}: expected a unit's name such as web, found ${JSON.stringify(unit)}`,
  )
}
