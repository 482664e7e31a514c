import type { RegisterRequest } from '../control/control-message.js'
import type { AllowList, Claim } from './allow-list.js'
import { type Caller, ENGINE_UNITS } from './caller.js'

/** Which unit a container is to speak for, and by whose word. */
export interface ClaimedUnit {
  readonly unit: string
  readonly claim: Claim
}

/**
 * Finds out which unit a container belongs to: the one whose own process starts it; or, where an engine does, the one that its configuration names.
 *
 * @throws Error that says what was expected, what was found and what to do.
 */
export function unitOfRequest(
  { annotatedUnit }: RegisterRequest,
  { unit: callersUnit }: Caller,
): ClaimedUnit {
  const annotated = annotatedUnit === undefined ? undefined : withEnding(annotatedUnit)
  if (callersUnit === undefined) {
    if (annotated !== undefined) return { unit: annotated, claim: 'annotation' }
    throw new Error(
      'expected a container that its unit starts itself, or one with the annotation io.sdbridge.daemon=UNIT',
    )
  }
  if (annotated !== undefined && annotated !== callersUnit)
    throw new Error(
      `the container is started by ${callersUnit}, and its configuration names ${annotated}: expected the same unit`,
    )
  return { unit: callersUnit, claim: 'cgroup' }
}

/**
 * Whether a unit may be spoken for.
 *
 * @param own The daemon's own unit.
 * @throws Error that says why not.
 */
export function checkAllowed(
  { claim, unit }: ClaimedUnit,
  allowList: AllowList,
  own: string | undefined,
  file: string,
): void {
  if (unit === own || ENGINE_UNITS.includes(unit))
    throw new Error(`nobody speaks for ${unit}: it is the daemon's own unit, or an engine's`)
  if (allowList.allows(unit, claim)) return
  const line = claim === 'annotation' ? `${unit} annotation` : unit
  throw new Error(
    `${unit} may not be spoken for: add the line '${line}' to ${file}, and systemctl reload sdbridge`,
  )
}

function withEnding(name: string): string {
  return name.endsWith('.service') ? name : `${name}.service`
}
