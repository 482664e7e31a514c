// @ts-check
import { cpSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runQuietly } from '../support/run-quietly.js'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** What CONTRIBUTING.md and .ci/run call. */
export const PNPM = ['-y', 'pnpm@12.21.0']

/**
 * Copies what git knows (and new files that it does not ignore), as they are now, and installs what that needs. So
 * nothing that an earlier build has left behind can be in what is built there, and nobody who works here is disturbed.
 *
 * @param {string} folder
 */
export async function cleanCheckout(folder) {
  const options = ['--cached', '--others', '--exclude-standard', '--deduplicate', '-z']
  const listed = await runQuietly('git', ['ls-files', ...options], { cwd: repository })
  const deleted = await runQuietly('git', ['ls-files', '--deleted', '-z'], { cwd: repository })
  const gone = new Set(deleted.split('\0'))
  for (const file of listed.split('\0')) {
    if (file === '' || gone.has(file)) continue
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(repository, file), join(folder, file), { verbatimSymlinks: true })
  }
  const args = ['install', '--frozen-lockfile', '--prefer-offline']
  await runQuietly('npx', [...PNPM, ...args], { cwd: folder })
}
