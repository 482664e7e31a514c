// @ts-check
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { enter, spawnInside } from './enter.js'
import { listenAsJournal } from './journal.js'
import { Keeper } from './keeper.js'
import { outcomeOf } from './outcome.js'

/**
 * @typedef {object} BootOptions
 * @property {string} [name] the host name inside; need not be unique
 * @property {string} [root] the root file system below the overlay: `/`, or what `ensureRootfs()`
 *   made
 * @property {import('./keeper.js').Bind[]} [binds] what is visible inside, at the same path
 * @property {string} [logLevel] of the service manager; can be changed with `systemctl log-level`
 * @property {number} [timeoutMs] for the boot
 * @property {(unit: string, text: string) => void} [onOutput] called with what services write, as
 *   it arrives
 */

/**
 * @typedef {object} RunOptions
 * @property {string | Uint8Array} [input] for standard input
 * @property {Record<string, string>} [env] added to PATH, HOME and LANG; nothing else is handed on
 * @property {number} [timeoutMs]
 * @property {boolean} [allowFailure] resolve also when the command fails
 */

/**
 * A throwaway machine with a real systemd as PID 1, made of Linux namespaces and an overlay file
 * system. What is written inside is gone with it, except in binds that are `writable`. It has a
 * loopback interface and no other network. Nothing runs inside but systemd, and a D-Bus daemon when
 * somebody connects to it.
 *
 * `halt()` leaves nothing behind, and no more does the end of this process, whatever its cause: see
 * keep.sh.
 */
export class Machine {
  /** @type {string} */
  name
  /** A node binary that can be run inside. @type {string} */
  nodePath

  #keeper
  /** @type {import('./journal.js').Journal | undefined} */
  #journal
  #pid = 0

  /**
   * Boots a machine. Rejects with the manager's log when it is not up in time.
   *
   * @param {BootOptions} [options]
   * @returns {Promise<Machine>}
   */
  static async boot({
    name,
    root = '/',
    binds = [],
    logLevel = 'info',
    timeoutMs = 30_000,
    onOutput,
  } = {}) {
    if (/[:,\\]/.test(root)) throw new TypeError(`overlayfs cannot take the path ${root}`)
    const isHost = root === '/'
    // The host's node may lie on another file system than / does, or below /tmp or a home directory,
    // which not every unit may enter.
    const nodePath = isHost ? '/srv/node' : '/usr/bin/node'
    const keeper = await Keeper.start({
      hostName: name,
      root,
      logLevel,
      binds: isHost ? [...binds, { path: process.execPath, target: nodePath }] : binds,
    })
    const machine = new Machine(name ?? keeper.name, nodePath, keeper)
    try {
      machine.#journal = await listenAsJournal(keeper.journalPath, onOutput)
      await machine.#waitForBoot(timeoutMs)
    } catch (error) {
      await machine.halt()
      throw error
    }
    return machine
  }

  /**
   * For `boot()`.
   *
   * @param {string} name
   * @param {string} nodePath
   * @param {Keeper} keeper
   */
  constructor(name, nodePath, keeper) {
    this.name = name
    this.nodePath = nodePath
    this.#keeper = keeper
  }

  /**
   * Runs a command inside, as root, and waits for it. A failure rejects with the command, the exit
   * code and what was written to standard error.
   *
   * @param {string} command
   * @param {string[]} [args]
   * @param {RunOptions} [options]
   * @returns {Promise<import('./outcome.js').Outcome>}
   */
  async run(command, args = [], { input, env, timeoutMs = 30_000, allowFailure = false } = {}) {
    const line = [command, ...args].join(' ')
    const child = this.spawn(command, args, { env })
    const outcome = await outcomeOf(child, { input, timeoutMs }).catch((error) => {
      throw new Error(`${this.name}: ${line}: ${error.message}`, { cause: error })
    })
    if (outcome.exitCode !== 0 && !allowFailure) {
      throw new Error(
        `${this.name}: ${line}: exit code ${outcome.exitCode}\n${outcome.stderr}${outcome.stdout}`,
      )
    }
    return outcome
  }

  /**
   * Starts a command inside. It belongs to no unit. `kill()` reaches its whole process group.
   *
   * @param {string} command
   * @param {string[]} [args]
   * @param {{ env?: Record<string, string> }} [options]
   * @returns {import('node:child_process').ChildProcessWithoutNullStreams}
   */
  spawn(command, args = [], { env } = {}) {
    this.#assertRunning()
    return spawnInside(this.#pid, command, args, env)
  }

  /**
   * The command line that runs a command inside, for callers that want to start it in their own
   * way.
   *
   * @param {string} command
   * @param {string[]} [args]
   * @returns {{ file: string, fileArgs: string[] }}
   */
  enter(command, args = []) {
    this.#assertRunning()
    return enter(this.#pid, command, args)
  }

  /**
   * Where a path inside is to be found from outside. An absolute link on the way leads to the
   * host's files.
   *
   * @param {string} inside
   * @returns {string}
   */
  path(inside) {
    return join(`/proc/${this.#pid}/root`, inside)
  }

  /**
   * @param {...string} args
   * @returns {Promise<string>} standard output
   */
  async systemctl(...args) {
    const { stdout } = await this.run('systemctl', ['--no-pager', ...args])
    return stdout
  }

  /**
   * @param {string} unit
   * @param {...string} properties all when there are none
   * @returns {Promise<Record<string, string>>}
   */
  async show(unit, ...properties) {
    const stdout = await this.systemctl('show', unit, ...properties.map((name) => `-p${name}`))
    const pairs = stdout.split('\n').filter((line) => line.includes('='))
    return Object.fromEntries(
      pairs.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
  }

  /**
   * Waits until the unit's properties have these values.
   *
   * @param {string} unit
   * @param {Record<string, string>} expected
   * @param {{ timeoutMs?: number }} [options]
   * @returns {Promise<void>}
   */
  async waitFor(unit, expected, { timeoutMs = 10_000 } = {}) {
    const names = Object.keys(expected)
    /** @type {Record<string, string>} */
    let seen = {}
    const isThere = await poll(timeoutMs, async () => {
      seen = await this.show(unit, ...names)
      return names.every((name) => seen[name] === expected[name])
    })
    if (isThere) return
    throw new Error(
      `${this.name}: ${unit} did not get there in ${timeoutMs} ms\n` +
        `expected:  ${JSON.stringify(expected)}\nlast seen: ${JSON.stringify(seen)}\n` +
        (await this.#logs(unit)),
    )
  }

  /**
   * Writes a unit file or a drop-in (`web.service`, `web.service.d/limits.conf`) and makes the
   * manager read it. The default dependencies are there, so a unit needs no DefaultDependencies=no.
   *
   * @param {string} name
   * @param {string} text
   * @returns {Promise<void>}
   */
  async writeUnit(name, text) {
    const file = this.path(join('/run/systemd/system', name))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    await this.systemctl('daemon-reload')
  }

  /**
   * What the service manager logged, also after `halt()`. Refused notifications are explained here.
   *
   * @returns {Promise<string>}
   */
  async log() {
    return this.#keeper.log()
  }

  /**
   * Waits until the manager has logged a text. What it logs arrives a moment after what it does.
   *
   * @param {string} text
   * @param {{ timeoutMs?: number }} [options]
   * @returns {Promise<void>}
   */
  async waitForLog(text, { timeoutMs = 10_000 } = {}) {
    if (await poll(timeoutMs, async () => (await this.log()).includes(text))) return
    throw new Error(
      `${this.name}: the manager did not log "${text}" in ${timeoutMs} ms\n${await this.#logs()}`,
    )
  }

  /**
   * What the processes of a unit wrote to standard output and error, where its unit file leaves
   * these as they are.
   *
   * @param {string} unit
   * @returns {string}
   */
  output(unit) {
    const name = unit.includes('.') ? unit : `${unit}.service`
    return withoutPriorities(this.#journal?.output(name) ?? '')
  }

  /**
   * Waits until a unit has written a text.
   *
   * @param {string} unit
   * @param {string} text
   * @param {{ timeoutMs?: number }} [options]
   * @returns {Promise<void>}
   */
  async waitForOutput(unit, text, { timeoutMs = 10_000 } = {}) {
    if (await poll(timeoutMs, async () => this.output(unit).includes(text))) return
    throw new Error(
      `${this.name}: ${unit} did not write "${text}" in ${timeoutMs} ms\n${await this.#logs(unit)}`,
    )
  }

  /**
   * @returns {Promise<number>} as in 252
   */
  async systemdVersion() {
    const { stdout } = await this.run('systemctl', ['--version'])
    return Number(/^systemd (\d+)/.exec(stdout)?.[1])
  }

  /**
   * Kills the machine and waits until nothing is left of it.
   *
   * @returns {Promise<void>}
   */
  async halt() {
    await this.#keeper.end()
    await this.#journal?.close()
  }

  async [Symbol.asyncDispose]() {
    await this.halt()
  }

  /** @param {number} timeoutMs */
  async #waitForBoot(timeoutMs) {
    let status = 'not started'
    const isUp = await poll(timeoutMs, async () => {
      this.#assertRunning()
      this.#pid = (await this.#keeper.pid()) ?? 0
      if (this.#pid === 0) return false
      status = await this.#systemStatus()
      return status === 'running'
    })
    if (isUp) return
    throw new Error(`${this.name} is ${status} after ${timeoutMs} ms\n${tail(this.#keeper.log())}`)
  }

  #assertRunning() {
    if (!this.#keeper.hasEnded) return
    throw new Error(`${this.name} has ended\n${tail(this.#keeper.log())}`)
  }

  /** @param {string} [unit] */
  async #logs(unit) {
    const output = unit === undefined ? '' : `output of ${unit}:\n${tail(this.output(unit))}\n`
    return `${output}log of the manager:\n${tail(await this.log())}`
  }

  async #systemStatus() {
    const { stdout, stderr } = await this.run('systemctl', ['is-system-running'], {
      allowFailure: true,
    })
    return stdout.trim() || stderr.trim()
  }
}

const POLL_INTERVAL_MS = 50
const TAIL_LINES = 40

/**
 * @param {number} timeoutMs
 * @param {() => Promise<boolean>} isDone
 * @returns {Promise<boolean>} whether it was done in time
 */
async function poll(timeoutMs, isDone) {
  const end = performance.now() + timeoutMs
  for (;;) {
    if (await isDone()) return true
    if (performance.now() > end) return false
    await delay(POLL_INTERVAL_MS)
  }
}

/**
 * Removes what sd-daemon(3) puts in front of lines.
 *
 * @param {string} text
 */
function withoutPriorities(text) {
  return text.replaceAll(/^<\d+>/gm, '')
}

/** @param {string} text */
function tail(text) {
  return text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n')
}
