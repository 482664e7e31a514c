import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('../bin/sdbridge.js', import.meta.url))

/** What the command wrote, and its exit code. */
export interface SdbridgeOutcome {
  readonly stdout: string
  readonly stderr: string
  readonly status: number | null
}

/** Runs the `sdbridge` command. */
export function sdbridge(
  args: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = process.env,
): SdbridgeOutcome {
  const { stdout, stderr, status } = spawnSync(process.execPath, [SCRIPT, ...args], {
    encoding: 'utf8',
    input,
    env,
  })
  return { stdout, stderr, status }
}
