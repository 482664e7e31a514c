// @ts-check
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runQuietly } from '../support/run-quietly.js'
import { buildPrebuilds } from './build-prebuilds.js'
import { cleanCheckout, PNPM } from './clean-checkout.js'

/**
 * @typedef {object} Packed
 * @property {string} name
 * @property {string} version
 * @property {string} file the tarball
 * @property {string} integrity as registries and lockfiles write it
 */

/**
 * Builds everything anew in a clean copy of this checkout, and packs each published package.
 *
 * @param {string} destination a folder for the tarballs
 * @param {(line: string) => void} say
 * @returns {Promise<Packed[]>}
 */
export async function packPackages(destination, say) {
  mkdirSync(destination, { recursive: true })
  const checkout = mkdtempSync(join(tmpdir(), 'sdbridge-release-'))
  const removeCheckout = () => rmSync(checkout, { recursive: true, force: true, maxRetries: 9 })
  process.on('exit', removeCheckout)
  try {
    say('a clean checkout, with what it needs')
    await cleanCheckout(checkout)
    say('JavaScript')
    await runQuietly('npx', [...PNPM, 'exec', 'tsc', '-b'], { cwd: checkout })
    await runQuietly('npx', [...PNPM, 'build:command'], { cwd: checkout })
    say('the addon, for each architecture, twice')
    for (const [arch, binary] of Object.entries(await buildPrebuilds(checkout))) {
      const sha256 = createHash('sha256').update(binary).digest('hex')
      say(`  linux-${arch}.node, ${binary.length} bytes, sha256 ${sha256}`)
    }
    /** @type {Packed[]} */
    const all = []
    for (const folder of readdirSync(join(checkout, 'packages')).toSorted()) {
      const cwd = join(checkout, 'packages', folder)
      const { name, version } = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'))
      const file = join(destination, `sdbridge-${folder}-${version}.tgz`)
      await runQuietly('npx', [...PNPM, 'pack', '--out', file], { cwd })
      const sha512 = createHash('sha512').update(readFileSync(file)).digest('base64')
      all.push({ name, version, file, integrity: `sha512-${sha512}` })
    }
    return all
  } finally {
    removeCheckout()
    process.off('exit', removeCheckout)
  }
}
