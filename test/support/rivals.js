import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './cache-folder.js'

const run = promisify(execFile)

/** What we are compared with. No dependency of this repository: both compile when they are installed. */
export const RIVALS = { 'unix-dgram': '2.0.7', 'sd-notify': '2.8.0' }

/** @typedef {keyof typeof RIVALS} Rival */

const CACHE = join(cacheFolder(), 'rivals')

/** @param {Rival} name @returns {any} Untyped, as both are. */
// oxlint-disable-next-line typescript/no-explicit-any
export function requireRival(name) {
  return createRequire(join(directoryOf(name), 'package.json'))(name)
}

/** The file to import instead of the name. @param {Rival} name */
export function pathOfRival(name) {
  return createRequire(join(directoryOf(name), 'package.json')).resolve(name)
}

/**
 * Installs the rival into the cache, unless it is there and works.
 *
 * @param {Rival} name
 * @returns {Promise<string | undefined>} Why it is not here.
 */
export async function installRival(name) {
  if ((await reasonNotToLoad(name, directoryOf(name))) === undefined) return undefined
  mkdirSync(CACHE, { recursive: true })
  const directory = mkdtempSync(join(CACHE, '.install-'))
  const abandon = new AbortController()
  const discard = () => {
    abandon.abort()
    rmSync(directory, { recursive: true, force: true })
  }
  process.once('exit', discard)
  try {
    const version = RIVALS[name]
    // The one place where a dependency may run a script.
    const manifest = {
      private: true,
      dependencies: { [name]: version },
      allowScripts: { [name]: true },
    }
    writeFileSync(join(directory, 'package.json'), JSON.stringify(manifest))
    const flags = ['--ignore-scripts=false', '--no-audit', '--no-fund', '--fetch-retries=0']
    await run('npm', ['install', ...flags], {
      cwd: directory,
      env: { ...process.env, ...headersOfThisNode() },
      signal: abandon.signal,
      timeout: 180_000,
    })
    const reason = await reasonNotToLoad(name, directory)
    if (reason !== undefined) return reason
    rmSync(directoryOf(name), { recursive: true, force: true })
    renameSync(directory, directoryOf(name))
    return undefined
  } catch (error) {
    return reasonOf(error)
  } finally {
    process.off('exit', discard)
    discard()
  }
}

// npm compiles for the Node that it runs on itself, which need not be this one (`pnpm test:matrix`).
function headersOfThisNode() {
  const place = dirname(process.execPath)
  const prefix = [dirname(place), place].find((folder) =>
    existsSync(join(folder, 'include/node/node_version.h')),
  )
  return prefix === undefined ? {} : { npm_config_nodedir: prefix }
}

// One for each version of Node: what was compiled for another does not load.
/** @param {Rival} name */
function directoryOf(name) {
  return join(CACHE, `${name}-${RIVALS[name]}-node-${process.version}-${process.arch}`)
}

// In a process of its own, so that what fails to load is not remembered here.
/** @param {Rival} name @param {string} directory */
async function reasonNotToLoad(name, directory) {
  try {
    await run(process.execPath, ['-e', `require(${JSON.stringify(name)})`], { cwd: directory })
    return undefined
  } catch (error) {
    return reasonOf(error)
  }
}

// The compiler's words, or npm's, rather than "Command failed".
/** @param {unknown} error */
function reasonOf(error) {
  const { stderr = '', message = String(error) } =
    /** @type {{ stderr?: string, message?: string }} */ (error)
  const lines = stderr.split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim())
  const telling = lines.find((line) => /error:|Error:|not found|No such file/.test(line))
  return telling ?? message.split('\n')[0] ?? 'it does not load'
}
