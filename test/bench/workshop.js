import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/**
 * Nanoseconds on the clock and of the processor, for the messages that were measured; all messages are more.
 *
 * @typedef {{ wall: number, cpu: number, measured: number, messages: number }} Outcome
 */

const PEER_SOURCES = ['peer.c', 'forwarding.c'].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
)
const NO_LIBSYSTEMD = 77

/** A temporary directory with the C programs, and the children that run in it. Nothing of it stays. */
export class Workshop {
  /** @type {Set<import('node:child_process').ChildProcess>} */
  #children = new Set()
  #sockets = 0

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'sdbridge-bench-'))
    this.peer = join(this.directory, 'peer')
    const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror']
    try {
      const compiler = process.env['CC'] || 'cc'
      const words = [...flags, '-o', this.peer, ...PEER_SOURCES, '-ldl']
      execFileSync(compiler, words, { stdio: 'inherit' })
    } catch (error) {
      this.dispose()
      throw error
    }
  }

  /** A path that no socket has had: a file is not bound to twice. */
  newSocketPath() {
    return join(this.directory, `${this.#sockets++}`)
  }

  /** A folder that no program has had. */
  newFolder() {
    return mkdtempSync(join(this.directory, 'folder-'))
  }

  /** @param {string} program @param {string[]} words @param {NodeJS.ProcessEnv} [env] @param {number[]} [fds] What it is passed from descriptor 3 on. */
  start(program, words, env = process.env, fds = []) {
    const child =
      /** @type {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} */ (
        spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit', ...fds], env })
      )
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return new Running([program, ...words].join(' '), child)
  }

  /** Ends what still runs, and removes all files. */
  dispose() {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A program that says "ready" if others wait for it, and a line of JSON at its end. */
export class Running {
  #title
  #child
  /** @type {string[]} */
  #lines = []
  #reader
  /** @type {Promise<unknown[]>} */
  #closed

  /** @param {string} title @param {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} child */
  constructor(title, child) {
    this.#title = title
    this.#child = child
    this.#closed = once(child, 'close')
    // Whoever waits hears of it; nobody may have to.
    this.#closed.catch(() => {})
    this.#reader = createInterface(child.stdout).on('line', (line) => this.#lines.push(line))
  }

  get pid() {
    return this.#child.pid ?? 0
  }

  /** Returns when the program has said its first line. */
  async ready() {
    await Promise.race([once(this.#child.stdout, 'data'), this.#closed])
    return this
  }

  /**
   * Waits for what a program tells that goes on.
   *
   * @returns {Promise<unknown>} its second line, the first after "ready"
   */
  async report() {
    const isClosed = this.#closed.then(() => true)
    while (this.#lines.length < 2) {
      const line = once(this.#reader, 'line').then(() => false)
      if ((await Promise.race([line, isClosed])) && this.#lines.length < 2)
        throw new Error(`'${this.#title}' has ended too soon`)
    }
    return JSON.parse(this.#lines[1] ?? 'null')
  }

  stop() {
    this.#child.kill('SIGTERM')
    return this
  }

  /** Ends one that has no other end; whatever its exit status. */
  async kill() {
    await this.stop().#closed
  }

  /** @returns {Promise<Outcome | undefined>} Undefined: it cannot run here. */
  async outcome() {
    const isHere = await this.end()
    return isHere ? JSON.parse(this.#lines.at(-1) ?? 'null') : undefined
  }

  /** @returns {Promise<boolean>} False: it cannot run here. */
  async end() {
    const [code, signal] = await this.#closed
    if (code === NO_LIBSYSTEMD) return false
    if (code !== 0) throw new Error(`'${this.#title}' ended with ${String(code ?? signal)}`)
    return true
  }
}
