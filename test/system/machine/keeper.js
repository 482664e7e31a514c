// @ts-check
import { spawn } from 'node:child_process'
import { closeSync, fstatSync, mkdirSync, mkdtempSync, openSync, readSync } from 'node:fs'
import { readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environment } from './enter.js'

/**
 * @typedef {string | { path: string, target?: string, writable?: boolean }} Bind a file or folder of
 *   the host, at the same path inside and read-only unless it says otherwise
 */

/**
 * A machine as seen from outside: a process that starts it and removes it (keep.sh), and a folder
 * for its state.
 */
export class Keeper {
  /** Unique: the folder's, the cgroup's, and by default the host name inside. @type {string} */
  name
  /** Where machine and host meet. @type {string} */
  journalPath
  hasEnded = false

  #state
  #logFd
  #process
  #end
  /** @type {string | undefined} */
  #finalLog

  /**
   * @param {{ hostName?: string | undefined, root: string, logLevel: string, binds: Bind[] }}
   *   options
   */
  static async start({ hostName, root, logLevel, binds }) {
    return new Keeper(hostName, root, logLevel, await mountArguments(binds))
  }

  /**
   * All at once, so that there is no moment in which this process could die and nobody would remove
   * the folder.
   *
   * @param {string | undefined} hostName
   * @param {string} root
   * @param {string} logLevel
   * @param {string[]} mounts
   */
  constructor(hostName, root, logLevel, mounts) {
    this.#state = mkdtempSync(join(tmpdir(), 'sdbridge-machine-'))
    this.name = basename(this.#state)
    mkdirSync(join(this.#state, 'journal'))
    this.journalPath = join(this.#state, 'journal/stdout')
    this.#logFd = openSync(join(this.#state, 'log'), 'a+')
    const script = fileURLToPath(new URL('keep.sh', import.meta.url))
    const args = [this.#state, hostName ?? this.name, root, logLevel, ...mounts]
    this.#process = spawn('unshare', ['--mount', '--', 'bash', script, ...args], {
      stdio: ['pipe', this.#logFd, this.#logFd],
      env: environment(),
      // Away from the terminal: Ctrl-C is for us, and it sees us end.
      detached: true,
    })
    this.#end = this.#waitForEnd()
  }

  /**
   * @returns {Promise<number | undefined>} of PID 1 as it is called outside; undefined until it is
   *   about to be systemd
   */
  async pid() {
    const text = await readFile(join(this.#state, 'pid'), 'utf8').catch(() => '')
    return text === '' ? undefined : Number(text)
  }

  /**
   * @returns {string} what keep.sh and init.sh said, and what the service manager wrote to its
   *   console
   */
  log() {
    if (this.#finalLog !== undefined) return this.#finalLog
    const buffer = Buffer.alloc(fstatSync(this.#logFd).size)
    const length = readSync(this.#logFd, buffer, 0, buffer.length, 0)
    return buffer.toString('utf8', 0, length).replaceAll('\r', '')
  }

  /**
   * Ends the machine, and resolves when nothing is left of it.
   *
   * @returns {Promise<void>}
   */
  async end() {
    this.#process.stdin?.destroy()
    await this.#end
  }

  async #waitForEnd() {
    await new Promise((resolve) => {
      this.#process.once('error', resolve)
      this.#process.once('close', resolve)
    })
    this.hasEnded = true
    // keep.sh has removed the file, but it is still open here.
    this.#finalLog = this.log()
    closeSync(this.#logFd)
    // For the case that keep.sh could not be started.
    await rm(this.#state, { recursive: true, force: true })
  }
}

/**
 * @param {Bind[]} binds
 * @returns {Promise<string[]>}
 */
async function mountArguments(binds) {
  const triples = await Promise.all(
    binds.map(async (bind) => {
      const { path, target, writable } = typeof bind === 'string' ? { path: bind } : bind
      return [writable ? 'rw' : 'ro', await realpath(path), target ?? path]
    }),
  )
  return triples.flat()
}
