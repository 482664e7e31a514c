import { runCommand } from '../engines/command-outcome.js'
import { findProgram } from '../run/program-file.js'

const ANSWER_MS = 10_000

/**
 * Has the container of a unit removed, by `sdbridge cleanup` in a unit of its own: an engine needs more of the host than the daemon has.
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
  const args = ['--quiet', '--collect', '--no-block', '--', ...command, 'cleanup', '--unit', unit]
  const { code, reason } = await runCommand({ file, args }, env, ANSWER_MS)
  if (code !== 0) throw new Error(`sdbridge cleanup --unit ${unit} cannot be started: ${reason}`)
}
