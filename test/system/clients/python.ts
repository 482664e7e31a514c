import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PYTHON } from '../../support/real-program.js'
import { environment } from '../machine/enter.js'
import type { Machine } from '../machine/machine.js'
import { outcomeOf } from '../machine/outcome.js'
import { pidOfManager } from '../remote/pid-of-manager.js'

const ENTER = fileURLToPath(new URL('enter.py', import.meta.url))
const NAMESPACES = ['--net', '--ipc', '--pid', '--uts']

/**
 * Runs a program with the Python of this computer in the namespaces of a machine, which need not have a Python.
 *
 * @returns what it prints
 */
export async function python(machine: Machine, program: string): Promise<string> {
  const child = spawnPython(machine, program)
  const { stdout, stderr, exitCode } = await outcomeOf(child, { timeoutMs: 30_000 })
  if (exitCode !== 0) throw new Error(`python: exit code ${exitCode}\n${stderr}${program}`)
  return stdout
}

/** Starts such a program. It can use what enter.py imports, and nothing else. */
export function spawnPython(machine: Machine, program: string): ChildProcessWithoutNullStreams {
  const pid = `${pidOfManager(machine)}`
  // Waits for the process that it forks, and lets no signal through to it: with this one it ends too.
  const enter = ['--target', pid, ...NAMESPACES, '--', 'setpriv', '--pdeathsig', 'KILL', '--']
  const args = [...enter, PYTHON, '-I', ENTER, pid, dedent(program)]
  return spawn('nsenter', args, { env: environment() })
}

function dedent(program: string): string {
  const indent = /^\n?( *)/.exec(program)?.[1] ?? ''
  return program.replaceAll(`\n${indent}`, '\n').trimStart()
}
