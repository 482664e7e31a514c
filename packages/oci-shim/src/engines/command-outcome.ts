import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Command } from './launch.js'

/** What became of a command of the engine. */
export interface CommandOutcome {
  /** `undefined` if it was not its own end, or there was no such program. */
  readonly code: number | undefined
  readonly stdout: string
  /** What it said of its failure, shortened, in one line. */
  readonly reason: string
  /** Whether there is no such program. */
  readonly isMissing: boolean
}

const MOST_OUTPUT = 4 * 1024 * 1024

/**
 * Runs a command to its end, for `timeoutMs` at the most; `Infinity` waits. It never throws.
 *
 * @param signal Ends it before.
 */
export function runCommand(
  { file, args }: Command,
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    const output = { stdout: '', stderr: '' }
    let giveUpReason: string | undefined
    const child = started(file, args, env)
    if (child instanceof Error)
      return resolve({ code: undefined, stdout: '', reason: child.message, isMissing: false })
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        output[name] = (output[name] + chunk).slice(0, MOST_OUTPUT)
      })
    }
    const end = (code: number | undefined, problem?: string, isMissing = false): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      const reason = giveUpReason ?? problem ?? lastLines(output.stderr)
      resolve({ code, stdout: output.stdout, reason, isMissing })
    }
    const giveUp = (reason: string): void => {
      giveUpReason ??= reason
      child.kill('SIGKILL')
      // What it has started may hold the pipes.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    const onAbort = (): void => giveUp('it was not waited for')
    const onTimeout = (): void => giveUp(`no answer in ${timeoutMs / 1000} s`)
    const timer = timeoutMs === Infinity ? undefined : setTimeout(onTimeout, timeoutMs)
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted === true) onAbort()
    child.once('error', (error: NodeJS.ErrnoException) => {
      end(undefined, error.message, error.code === 'ENOENT')
    })
    child.once('close', (code, killedBy) => {
      const isOwnEnd = giveUpReason === undefined && code !== null
      end(isOwnEnd ? code : undefined, killedBy === null ? undefined : `ended by ${killedBy}`)
    })
  })
}

function lastLines(text: string): string {
  const lines = text.split('\n').filter((each) => each.trim() !== '')
  const words = lines.map((each) => each.replace(/^(?:error|errors pretty printing info): ?/i, ''))
  return words.slice(-3).join(' ').trim()
}

// Where there is no memory, no descriptor, or no room for its arguments, Node throws, or gives a process without pipes.
function started(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ChildProcessByStdio<null, Readable, Readable> | Error {
  try {
    const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    if (Object.hasOwn(child, 'stdout')) return child
    child.on('error', () => {
      // It is told below.
    })
    return new Error(`${file} cannot be started: too many files are open`)
  } catch (error) {
    return error as Error
  }
}
