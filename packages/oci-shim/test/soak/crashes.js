// @ts-check
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { PrivateDirectory } from '../../dist/run/private-directory.js'

const MODULE = new URL('../../dist/run/private-directory.js', import.meta.url).href
const SCRIPT = `
import { PrivateDirectory } from '${MODULE}'
new PrivateDirectory(process.argv[1]).make()
process.stdout.write('made')
setInterval(() => {}, 1000)
`

/**
 * Kills so many processes that have made the same private directory, one after the other.
 *
 * @param {number} count
 * @param {string} base
 * @returns {Promise<number>} How many files are left when the last has been removed.
 */
export async function crashes(count, base) {
  const path = join(base, 'web.service')
  for (let crash = 0; crash < count; crash++) {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', SCRIPT, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exit = once(child, 'exit')
    await Promise.race([once(child.stdout, 'data'), exit])
    child.kill('SIGKILL')
    const [code] = await exit
    if (code !== null) throw new Error(`a private directory could not be made: exit code ${code}`)
  }
  const last = new PrivateDirectory(path)
  last.make()
  last.remove()
  const left = existsSync(base) ? readdirSync(base) : []
  process.stdout.write(`${count} crashes, ${left.length} files left\n`)
  return left.length
}
