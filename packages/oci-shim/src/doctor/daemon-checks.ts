import { existsSync } from 'node:fs'
import { readAllowList } from '../daemon/allow-list.js'
import { controlSocketOf, type Places, PLACES } from '../daemon/places.js'
import type { BridgedUnit } from './bridged-unit.js'
import { type Diagnosis, fault } from './diagnosis.js'

/** Judges whether the daemon will bridge the container of a unit that relies on it. */
export function checkDaemon(
  { options, state }: Pick<BridgedUnit, 'options' | 'state'>,
  places: Places = PLACES,
): Diagnosis[] {
  if (options?.daemon !== true) return []
  if (state.user)
    return [
      fault(
        'daemon',
        '--daemon in a unit of a user’s: the daemon speaks for units of the system alone',
        'leave --daemon out',
      ),
    ]
  return [...checkPresence(controlSocketOf(places)), ...checkList(state.unit, places.allowList)]
}

function checkPresence(socket: string): Diagnosis[] {
  if (existsSync(socket)) return []
  return [
    fault(
      'daemon',
      `--daemon, and sdbridge daemon is not there (${socket})`,
      'sdbridge daemon install, and what that says',
    ),
  ]
}

function checkList(unit: string, file: string): Diagnosis[] {
  try {
    if (readAllowList(file).allows(unit, 'cgroup')) return []
    return [
      fault(
        'daemon-list',
        `--daemon, and ${unit} may not be spoken for`,
        `add the line '${unit}' to ${file}, and systemctl reload sdbridge`,
      ),
    ]
  } catch (error) {
    return [fault('daemon-list', (error as Error).message, 'put it right: sdbridge daemon --help')]
  }
}
