import { PYTHON, works } from '../../../test/support/real-program.js'
import { fixture, type Outcome, run } from './program.js'

/** Whether {@link runDenied} works here; says so if not. */
export function canDeny(): boolean {
  return works(PYTHON, fixture('deny.py'), '--', 'true')
}

/**
 * Runs JavaScript, with what the package exports as `s`, where system calls fail as they do on an older kernel or in a sandbox.
 *
 * @param rules Such as `fcntl:1=1027:EINVAL`; see fixtures/deny.py.
 */
export async function runDenied(rules: readonly string[], source: string): Promise<Outcome> {
  const index = JSON.stringify(new URL('../dist/index.js', import.meta.url).href)
  const program = [process.execPath, '--input-type=module', '--eval']
  const args = [fixture('deny.py'), ...rules, '--', ...program]
  return await run(PYTHON, [...args, `import * as s from ${index}\n${source}`])
}
