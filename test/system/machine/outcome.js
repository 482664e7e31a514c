// @ts-check
import { constants } from 'node:os'
import { text } from 'node:stream/consumers'

/**
 * @typedef {object} Outcome
 * @property {string} stdout
 * @property {string} stderr
 * @property {number} exitCode 128 + the signal's number for a process that a signal ended, as in a
 *   shell
 */

/**
 * Feeds a process its input and waits for its end.
 *
 * @param {import('node:child_process').ChildProcessWithoutNullStreams} child
 * @param {object} [options]
 * @param {string | Uint8Array | undefined} [options.input]
 * @param {number | undefined} [options.timeoutMs] after which the process is killed, and the
 *   promise rejected
 * @returns {Promise<Outcome>}
 */
export async function outcomeOf(child, { input, timeoutMs } = {}) {
  let timedOut = false
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true
          child.kill('SIGKILL')
        }, timeoutMs)
  try {
    // A process that does not read its input breaks the pipe: its own affair.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const [stdout, stderr, exitCode] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      exitCodeOf(child),
    ])
    if (timedOut) throw new Error(`killed after ${timeoutMs} ms\n${stderr}`)
    return { stdout, stderr, exitCode }
  } finally {
    clearTimeout(timer)
  }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<number>}
 */
function exitCodeOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0))
    })
  })
}
