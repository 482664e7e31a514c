import { join } from 'node:path'
import { runCommand } from '../engines/command-outcome.js'
import { BridgeError } from '../run/bridge-error.js'
import { baseDirectory, fileNameOf, PrivateDirectory } from '../run/private-directory.js'
import { findProgram } from '../run/program-file.js'
import { parseProperties } from '../run/systemctl-properties.js'
import { parseTimespan, parseUnitSettings } from '../run/unit-settings.js'

/** What a container needs to notify for a unit of the system's service manager, whoever starts it. */
export interface UnitNotification {
  /** `web.service`, by its own name where an alias was given. */
  readonly unit: string
  /** The directory of the host that the unit's bridge makes, and where it appears inside. */
  readonly mount: { readonly source: string; readonly target: string }
  /** What a service is told: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` and `FDSTORE` if the unit has these. */
  readonly variables: Readonly<Record<string, string>>
}

const ANSWER_MS = 5000

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
  env: NodeJS.ProcessEnv = process.env,
): Promise<UnitNotification> {
  const asked = name.endsWith('.service') ? name : `${name}.service`
  // A hook has no PATH.
  const file = findProgram('systemctl', env) ?? 'systemctl'
  const args = ['show', ...PROPERTIES.map((each) => `--property=${each}`), '--', asked]
  const { code, stdout, reason } = await runCommand({ file, args }, env, ANSWER_MS)
  if (code !== 0) throw failed(`the service manager says nothing of ${asked}: ${reason}`)
  const properties = parseProperties(stdout)
  if (properties.get('LoadState') !== 'loaded')
    throw failed(
      `there is no unit ${asked} (${properties.get('LoadState')}): write it, with sdbridge run in its ExecStart=, and systemctl daemon-reload`,
    )
  const unit = properties.get('Id') ?? asked
  const [runtimeDirectory] = (properties.get('RuntimeDirectory') ?? '').split(' ')
  const base = baseDirectory(runtimeDirectory ? join('/run', runtimeDirectory) : undefined)
  const { notifyDirectory } = new PrivateDirectory(join(base, fileNameOf(unit)))
  const { storeLimit = 0 } = parseUnitSettings(stdout)
  const watchdogSec = parseTimespan(properties.get('WatchdogUSec') ?? '') ?? 0
  return {
    unit,
    mount: { source: notifyDirectory, target: containerDirectory },
    variables: {
      NOTIFY_SOCKET: join(containerDirectory, 'notify.sock'),
      ...(watchdogSec === 0 || watchdogSec === Infinity
        ? {}
        : { WATCHDOG_USEC: String(Math.round(watchdogSec * 1e6)) }),
      ...(storeLimit === 0 ? {} : { FDSTORE: String(storeLimit) }),
    },
  }
}

const PROPERTIES = [
  'LoadState',
  'Id',
  'RuntimeDirectory',
  'WatchdogUSec',
  'FileDescriptorStoreMax',
] as const

function failed(message: string): BridgeError {
  return new BridgeError('ERR_BRIDGE_FAILED', message)
}
