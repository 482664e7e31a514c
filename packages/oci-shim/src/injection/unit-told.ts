import { runCommand } from '../engines/command-outcome.js'
import { BridgeError } from '../run/bridge-error.js'
import { tell } from '../run/operator-log.js'
import { findProgram } from '../run/program-file.js'
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

const ANSWER_MS = 5000

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
  // A hook has no PATH.
  const file = findProgram('systemctl', env) ?? 'systemctl'
  const args = ['show', ...PROPERTIES.map((each) => `--property=${each}`), '--', asked]
  const { code, stdout, reason } = await runCommand({ file, args }, env, ANSWER_MS)
  if (code !== 0) throw failed(`the service manager says nothing of ${asked}: ${reason}`)
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
