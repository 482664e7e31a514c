// @ts-check
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/**
 * Runs a program, and shows what it printed only when it fails.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptionsWithoutStdio} [options]
 * @returns {Promise<string>} its standard output
 */
export async function runQuietly(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  // Before what it writes to is removed.
  const end = () => child.kill()
  process.prependListener('exit', end)
  child.once('exit', () => process.off('exit', end))
  const failed = once(child, 'error').then(([error]) => {
    throw error
  })
  const [stdout, stderr, [code, signal]] = await Promise.race([
    Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]),
    failed,
  ])
  if (code === 0) return stdout
  const line = [command, ...args].join(' ')
  throw new Error(`${line}: ended with ${code ?? signal}\n${stdout}${stderr}`)
}
