import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { configurePodman, startDocker } from '../system/containers/start-engines.js'
import { Machine } from '../system/machine/machine.js'
import { missingRequirements } from '../system/machine/requirements.js'
import { ensureRootfs } from '../system/machine/rootfs.js'
import { inside, repositoryBind } from '../system/repository.js'

/** @typedef {'runc' | 'crun' | 'docker' | 'podman'} EngineName */

const SCRIPTS = 'test/bench/contestants'
const PACKAGE = inside('packages/oci-shim')
const SDBRIDGE = `${PACKAGE}/bin/sdbridge.js`
const RUNC = '/usr/sbin/runc'
const LAUNCHER = '/usr/local/lib/sdbridge/runc'
/** Where the node that runs this is in the machine, so that the bridge runs on what the other tables are of. */
const NODE = '/srv/node'
/** An engine that makes its first container takes its time. */
const LONGEST_MS = 120_000

/**
 * A throwaway machine with systemd, docker, podman, runc and crun, for what is measured of containers. It is booted for the first one who needs it.
 */
export class EngineMachine {
  /** Why there is none: undefined as long as nobody has wanted it, and where it is here. @type {string | undefined} */
  reason
  /** @type {Promise<Machine | undefined> | undefined} */
  #machine
  /** @type {Starter | undefined} */
  #launcher
  /** @type {Starter | undefined} */
  #caller

  /** @param {string} [reason] Why it is not wanted. */
  constructor(reason) {
    this.reason = reason
  }

  /**
   * Runs a container whose payload says a word.
   *
   * @param {EngineName} engine
   * @param {boolean} isBridged
   * @returns {Promise<number | undefined>} Nanoseconds until the word is heard. Undefined: there is no such machine here.
   */
  async launch(engine, isBridged) {
    const machine = await this.#ready()
    if (machine === undefined) return undefined
    this.#launcher ??= new Starter(machine, 'launch')
    const bridge = isBridged ? [NODE, SDBRIDGE, 'run', '--'] : []
    return await this.#launcher.start({ words: [...bridge, ...runWords(engine)], isBridged })
  }

  /**
   * Calls runc, or the launcher of `sdbridge runtime`, for a container of a bundle.
   *
   * @param {'create' | 'state'} verb
   * @param {'runc' | 'launcher' | 'asking'} how `asking`: the container asks for a socket, and gets it.
   * @returns {Promise<number | undefined>} Nanoseconds until the call has ended. Undefined: there is no such machine here.
   */
  async callRuntime(verb, how) {
    const machine = await this.#ready()
    if (machine === undefined) return undefined
    if (this.#caller === undefined) {
      await machine.run(NODE, [SDBRIDGE, 'runtime', 'install', '--low-level', RUNC])
      this.#caller = new Starter(machine, 'create')
    }
    const runtime = how === 'runc' ? RUNC : LAUNCHER
    return await this.#caller.start({ runtime, verb, sdbridge: PACKAGE, asks: how === 'asking' })
  }

  /**
   * What stays beside a container that waits: runc itself, or podman's conmon.
   *
   * @param {'runc' | 'conmon'} program
   * @param {number} count how many at once
   * @param {'Pss' | 'Rss'} field
   * @returns {Promise<number | undefined>} KiB, of one of them
   */
  async memory(program, count, field) {
    const machine = await this.#ready()
    const words = [inside(`${SCRIPTS}/engine-memory.sh`), program, `${count}`, field]
    const outcome = await machine?.run('bash', words, { timeoutMs: LONGEST_MS })
    return outcome === undefined ? undefined : Number(outcome.stdout) / count
  }

  async halt() {
    const machine = await this.#machine
    await this.#launcher?.end()
    await this.#caller?.end()
    await machine?.halt()
  }

  async #ready() {
    if (this.reason !== undefined) return undefined
    return await (this.#machine ??= this.#boot())
  }

  async #boot() {
    const missing = await missingRequirements()
    if (missing.length > 0) {
      this.reason = missing.join(' ')
      return undefined
    }
    const { path: root } = await ensureRootfs()
    const node = { path: process.execPath, target: NODE }
    const machine = await Machine.boot({ root, binds: [repositoryBind, node] })
    try {
      await Promise.all([configurePodman(machine), startDocker(machine)])
      const script = inside(`${SCRIPTS}/engine-images.sh`)
      await machine.run('bash', [script], { timeoutMs: LONGEST_MS })
      return machine
    } catch (error) {
      await machine.halt()
      throw error
    }
  }
}

/** @param {EngineName} engine What engine-images.sh has made is run. */
function runWords(engine) {
  if (engine === 'runc' || engine === 'crun') {
    return [engine, 'run', '--bundle', '/srv/launch', 'launch']
  }
  return [engine, 'run', '--rm', '--name', 'launch', 'launch', 'echo', 'ready']
}

/** A unit that starts one program after the other, as it is told, and tells how long each took. */
class Starter {
  #child
  #lines

  /** @param {Machine} machine @param {string} name of the unit, and of what runs there */
  constructor(machine, name) {
    const unit = ['--property=Type=exec', '--property=NotifyAccess=all', '--property=Delegate=yes']
    const words = ['--quiet', '--pipe', '--collect', `--unit=${name}`, ...unit]
    const script = inside(`${SCRIPTS}/${name}.js`)
    this.#child = machine.spawn('systemd-run', [...words, NODE, script])
    this.#child.stderr.pipe(process.stderr)
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** @param {object} order @returns {Promise<number>} */
  async start(order) {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`)
    const { done, value } = await this.#lines.next()
    if (done) throw new Error(`the unit that is to do ${JSON.stringify(order)} has ended`)
    const { time, problem } = JSON.parse(value)
    if (problem !== undefined) throw new Error(`${JSON.stringify(order)}: ${problem}`)
    return time
  }

  async end() {
    const ended = once(this.#child, 'close')
    this.#child.stdin.end()
    await ended
  }
}
