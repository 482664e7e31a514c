import { runCommand } from '../engines/command-outcome.js'
import { BridgeError } from './bridge-error.js'
import { findProgram } from './program-file.js'

const ANSWER_MS = 5000

/**
 * Asks the system's service manager for properties of a unit.
 *
 * @param env May have no `PATH`, as that of a hook.
 * @returns What `systemctl show` prints.
 * @throws BridgeError if there is no answer.
 */
export async function showUnit(
  unit: string,
  properties: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const file = findProgram('systemctl', env) ?? 'systemctl'
  const args = ['show', ...properties.map((each) => `--property=${each}`), '--', unit]
  const { code, stdout, reason } = await runCommand({ file, args }, env, ANSWER_MS)
  if (code === 0) return stdout
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    `the service manager says nothing of ${unit}: ${reason}`,
  )
}
