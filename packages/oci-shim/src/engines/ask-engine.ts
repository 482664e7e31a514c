import { spawn } from 'node:child_process'

/** What an engine's client answered. */
export interface Answer {
  /** `undefined` if it was not its own end. */
  readonly code: number | undefined
  readonly stdout: string
  /** One line of what went wrong, if something did. */
  readonly reason: string
  /** Whether there is no such program: whoever starts it will say so. */
  readonly isMissing: boolean
}

export interface AskOptions {
  env: NodeJS.ProcessEnv
  timeoutMs: number
}

/** Asks an engine something by its own client, for so long at the most. It never throws. */
export function askEngine(
  file: string,
  args: readonly string[],
  { env, timeoutMs }: AskOptions,
): Promise<Answer> {
  return new Promise((resolve) => {
    const output = { stdout: '', stderr: '' }
    const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        if (output[name].length < MOST_OUTPUT) output[name] += chunk
      })
    }
    let problem: string | undefined
    let isMissing = false
    const timer = setTimeout(() => {
      problem = `no answer in ${String(timeoutMs / 1000)} s`
      child.kill('SIGKILL')
      // What it has started may hold the pipes.
      child.stdout.destroy()
      child.stderr.destroy()
    }, timeoutMs)
    child.once('error', (error: NodeJS.ErrnoException) => {
      problem ??= error.message
      isMissing = error.code === 'ENOENT'
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      problem ??= signal === null ? undefined : `ended by ${signal}`
      const reason = problem ?? lastLine(output.stderr)
      const isOwnEnd = problem === undefined && code !== null
      resolve({ code: isOwnEnd ? code : undefined, stdout: output.stdout, reason, isMissing })
    })
  })
}

const MOST_OUTPUT = 4 * 1024 * 1024

function lastLine(text: string): string {
  const line = text.split('\n').findLast((each) => each.trim() !== '') ?? ''
  return line.replace(/^(?:error|errors pretty printing info): ?/i, '').trim()
}
