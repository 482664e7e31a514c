import { execFileSync, spawn, type SpawnOptions } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PYTHON } from '../../../test/support/real-program.js'

export interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** The file of a program in fixtures/. They use what `pnpm build` made of src/. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))
}

/** Runs a program of fixtures/ in a Node process of its own, to its end. */
export async function runFixture(
  name: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): Promise<Outcome> {
  return await run(process.execPath, [fixture(name), ...args], options)
}

/** Runs a program to its end. */
export async function run(
  file: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<Outcome> {
  // A program that hangs must not outlive the test run.
  const limits = { timeout: 150_000, killSignal: 'SIGKILL' } as const
  const child = spawn(file, args, { ...limits, ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const outcome: Outcome = { code: null, signal: null, stdout: '', stderr: '' }
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (outcome.stdout += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (outcome.stderr += text))
  return await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ ...outcome, code, signal }))
  })
}

/** Runs a Python program to its end and returns what it printed, without the last newline. */
export function python(source: string, ...args: string[]): string {
  return execFileSync(PYTHON, ['-c', source, ...args], { encoding: 'utf8' }).trimEnd()
}
