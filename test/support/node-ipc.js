// @ts-check
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from './cache-folder.js'
import { runQuietly } from './run-quietly.js'

/** What is installed, with the hash of each package: nothing else may come in its place. */
const LOCKFILE = fileURLToPath(new URL('node-ipc/', import.meta.url))
const VERSION = '14.0.0'

/**
 * The npm package node-ipc, in the cache; it is no dependency of this repository (docs/decisions/0007). Says why tests are skipped if it
 * cannot be had, and throws instead where `SDBRIDGE_REQUIRE_SYSTEM=1` promises that everything is there.
 *
 * @returns {Promise<string | undefined>} The folder of the package.
 */
export async function findNodeIpc() {
  try {
    return await installed()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const told = `tests need the npm package node-ipc, which cannot be had: ${reason}`
    if (process.env['SDBRIDGE_REQUIRE_SYSTEM'] === '1') throw new Error(told, { cause })
    process.stderr.write(`${told}; they are skipped\n`)
    return undefined
  }
}

async function installed() {
  const directory = join(cacheFolder(), `node-ipc-${VERSION}`)
  const folder = join(directory, 'node_modules/node-ipc')
  if (existsSync(folder)) return folder
  mkdirSync(cacheFolder(), { recursive: true })
  const making = mkdtempSync(join(cacheFolder(), '.node-ipc-'))
  try {
    cpSync(LOCKFILE, making, { recursive: true })
    // It asks for Node 22, which npm only warns of; it serves on Node 20 too.
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
