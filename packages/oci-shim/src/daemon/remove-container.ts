import { runCommand } from '../engines/command-outcome.js'
import { findProgram } from '../run/program-file.js'

const ANSWER_MS = 10_000
/** Should an engine hang, the unit's start is not to wait for ever. */
const LONGEST_SEC = 120

/**
 * Has the container of a unit removed, by `sdbridge cleanup` in a unit of its own: an engine needs more of the host than the daemon has. The unit's
 * next start waits until that is done: its container has the same name.
 *
 * @param command `sdbridge`, with its node.
 * @throws Error
 */
export async function removeContainerOf(
  unit: string,
  command: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const file = findProgram('systemd-run', env) ?? 'systemd-run'
  // As systemctl set-property, it takes a backslash for itself.
  const order = `--property=Before=${unit.replaceAll('\\', String.raw`\\`)}`
  const service = ['--property=Type=oneshot', `--property=TimeoutStartSec=${LONGEST_SEC}`, order]
  const own = ['--quiet', '--collect', '--no-block', ...service]
  const args = [...own, '--', ...command, 'cleanup', '--unit', unit]
  const { code, reason } = await runCommand({ file, args }, env, ANSWER_MS)
  if (code !== 0) throw new Error(`sdbridge cleanup --unit ${unit} cannot be started: ${reason}`)
}
