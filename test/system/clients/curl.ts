import { spawn } from 'node:child_process'
import { environment } from '../machine/enter.js'
import type { Machine } from '../machine/machine.js'
import { outcomeOf } from '../machine/outcome.js'
import { pidOfManager } from '../remote/pid-of-manager.js'

/**
 * What the curl of this computer gets, in the network of a machine, which need not have a curl. A path is one of this
 * computer: `machine.path()` tells it.
 */
export async function curl(machine: Machine, ...args: string[]): Promise<string> {
  const enter = ['--target', `${pidOfManager(machine)}`, '--net', '--']
  const options = ['--silent', '--show-error', '--fail', '--max-time', '20']
  const child = spawn('nsenter', [...enter, 'curl', ...options, ...args], { env: environment() })
  const { stdout, stderr, exitCode } = await outcomeOf(child)
  if (exitCode !== 0) throw new Error(`curl ${args.join(' ')}: exit code ${exitCode}\n${stderr}`)
  return stdout
}
