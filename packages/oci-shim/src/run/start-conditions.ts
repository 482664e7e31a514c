import { constants } from 'node:os'
import { startState, type StartState } from '@sdbridge/syscalls'
import type { UnitIdentity } from './unit-identity.js'
import type { UnitSettings } from './unit-settings.js'

export type StartConditions = Pick<StartState, 'softFileLimit' | 'ignoredSignals'>

/**
 * What a program of the unit inherits where Node is not in between. Node raises the soft limit of open descriptors and ignores
 * SIGPIPE, so only a launcher before it, or the unit, can tell what was before.
 */
export function startConditions(
  { unit }: UnitIdentity,
  { softFileLimit, ignoresSigpipe }: UnitSettings,
): StartConditions {
  const state = startState()
  if (state.recorded) return state
  // IgnoreSIGPIPE= is on where a unit does not say otherwise.
  const ignored = unit !== undefined && ignoresSigpipe !== false ? [constants.signals.SIGPIPE] : []
  return { softFileLimit: softFileLimit ?? state.softFileLimit, ignoredSignals: ignored }
}
