// @ts-check
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/**
 * @typedef {object} Ended
 * @property {number | null} status
 * @property {NodeJS.Signals | null} signal
 * @property {string} stdout
 * @property {string} stderr
 * @property {Error} [error] It could not be started.
 */

/**
 * Runs a program as spawnSync() does; but signals are heard meanwhile, and the program does not outlive this one.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<Ended>}
 */
export async function run(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  // Before what it writes to is removed.
  const end = () => child.kill(options.killSignal)
  process.prependListener('exit', end)
  child.once('exit', () => process.off('exit', end))
  const output = Promise.all([textOf(child.stdout), textOf(child.stderr)])
  try {
    const [status, signal] = await once(child, 'close')
    const [stdout, stderr] = await output
    return { status, signal, stdout, stderr }
  } catch (error) {
    process.off('exit', end)
    return {
      status: null,
      signal: null,
      stdout: '',
      stderr: '',
      error: /** @type {Error} */ (error),
    }
  }
}

/**
 * Runs a program, and shows what it printed only when it fails.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<string>} its standard output
 */
export async function runQuietly(command, args, options = {}) {
  const { status, signal, stdout, stderr, error } = await run(command, args, options)
  if (error !== undefined) throw error
  if (status === 0) return stdout
  const line = [command, ...args].join(' ')
  throw new Error(`${line}: ended with ${status ?? signal}\n${stdout}${stderr}`)
}

/** @param {import('node:stream').Readable | null} stream null: it is not ours */
async function textOf(stream) {
  return stream === null ? '' : text(stream)
}
