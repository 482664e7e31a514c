import { BridgeError } from '../run/bridge-error.js'
import { tell } from '../run/operator-log.js'
import { showUnit } from '../run/show-unit.js'
import { parseProperties } from '../run/systemctl-properties.js'
import { parseTimespan, parseUnitSettings } from '../run/unit-settings.js'

/** What the service manager says of a unit, for a container that is to notify for it. */
export interface UnitTold {
  /** `web.service`, by its own name where an alias was given. */
  readonly unit: string
  /** The first of `RuntimeDirectory=`, below /run. */
  readonly runtimeDirectory: string | undefined
  /** `WATCHDOG_USEC` and `FDSTORE`, if the unit has these. */
  readonly variables: Readonly<Record<string, string>>
}

/**
 * Asks the system's service manager about a unit, which need not be running.
 *
 * @param name `web.service`, or `web`.
 * @param remedy What to do if there is no such unit.
 * @throws BridgeError if there is no such unit, or no answer.
 */
export async function readUnitTold(
  name: string,
  remedy: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<UnitTold> {
  const asked = name.endsWith('.service') ? name : `${name}.service`
  const stdout = await showUnit(asked, PROPERTIES, env)
  const properties = parseProperties(stdout)
  if (properties.get('LoadState') !== 'loaded')
    throw failed(`there is no unit ${asked} (${properties.get('LoadState')}): ${remedy}`)
  const [runtimeDirectory] = (properties.get('RuntimeDirectory') ?? '').split(' ')
  const { storeLimit = 0 } = parseUnitSettings(stdout)
  const watchdogSec = parseTimespan(properties.get('WatchdogUSec') ?? '') ?? 0
  // systemd has it from a unit's start on.
  if (watchdogSec === Infinity && NOT_STARTED.has(properties.get('ActiveState') ?? ''))
    tell(
      `${asked} is not being started, and so systemd does not tell its WatchdogSec=: if it has one, call this in its ExecStartPre=`,
    )
  return {
    unit: properties.get('Id') ?? asked,
    runtimeDirectory: runtimeDirectory === '' ? undefined : runtimeDirectory,
    variables: {
      ...(watchdogSec === 0 || watchdogSec === Infinity
        ? {}
        : { WATCHDOG_USEC: String(Math.round(watchdogSec * 1e6)) }),
      ...(storeLimit === 0 ? {} : { FDSTORE: String(storeLimit) }),
    },
  }
}

const NOT_STARTED = new Set(['inactive', 'failed'])
const PROPERTIES = [
  'LoadState',
  'ActiveState',
  'Id',
  'RuntimeDirectory',
  'WatchdogUSec',
  'FileDescriptorStoreMax',
] as const

function failed(message: string): BridgeError {
  return new BridgeError('ERR_BRIDGE_FAILED', message)
}
