// @ts-check
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from './cache-folder.js'
import { runQuietly } from './run-quietly.js'

/** What is installed of each, with the hash of every package: nothing else may come in its place. */
const LOCKFILES = fileURLToPath(new URL('npm-packages/', import.meta.url))

/**
 * An npm package that tests start as a program or serve with, in the cache; none is a dependency of this repository (docs/decisions/0007 and 0015).
 * Says why tests are skipped if it cannot be had, and throws instead where `SDBRIDGE_REQUIRE_SYSTEM=1` promises that everything is there.
 *
 * @param {'node-ipc' | 'pm2'} name
 * @returns {Promise<string | undefined>} The folder of the package.
 */
export async function findNpmPackage(name) {
  try {
    return await installed(name)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const told = `tests need the npm package ${name}, which cannot be had: ${reason}`
    if (process.env['SDBRIDGE_REQUIRE_SYSTEM'] === '1') throw new Error(told, { cause })
    process.stderr.write(`${told}; they are skipped\n`)
    return undefined
  }
}

/** @param {string} name */
async function installed(name) {
  const lockfile = join(LOCKFILES, name)
  const manifest = JSON.parse(readFileSync(join(lockfile, 'package.json'), 'utf8'))
  const directory = join(cacheFolder(), `${name}-${manifest.dependencies[name]}`)
  const folder = join(directory, 'node_modules', name)
  if (existsSync(folder)) return folder
  mkdirSync(cacheFolder(), { recursive: true })
  const making = mkdtempSync(join(cacheFolder(), `.${name}-`))
  try {
    cpSync(lockfile, making, { recursive: true })
    // node-ipc asks for Node 22, which npm only warns of; it serves on Node 20 too.
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=0']
    await runQuietly('npm', ['ci', ...flags], { cwd: making })
    renameSync(making, directory)
  } catch (error) {
    // Another run may have been quicker.
    if (!existsSync(folder)) throw error
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return folder
}
