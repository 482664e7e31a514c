// @ts-check
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { GuestProcess } from './guest-process.js'
import { makeImage } from './image.js'

/**
 * @typedef {object} ProcessOptions
 * @property {Record<string, string>} [env] added to PATH; nothing else is handed on
 */

/**
 * A virtual machine with a kernel of its own, which has what this machine's may lack: AF_VSOCK that can be talked over. It is
 * emulated (TCG), so that it needs nothing of the processor, and is up in some seconds. All that it has is in memory: a
 * Debian root file system, our packages in /guest/node_modules, and what is in this folder in /guest, C compiled.
 */
export class Guest {
  #qemu
  #folder
  #events = new EventEmitter()
  #processes = 0

  /**
   * @param {{ root: string, kernel: string }} options what `ensureRootfs()` and `ensureKernel()` made
   * @returns {Promise<Guest>}
   */
  static async boot({ root, kernel }) {
    const folder = await mkdtemp(join(tmpdir(), 'sdbridge-guest-'))
    try {
      await makeImage(join(folder, 'image'), root, kernel)
      const guest = new Guest(folder, join(kernel, 'vmlinuz'))
      try {
        await guest.#untilReady()
        await rm(join(folder, 'image'))
        return guest
      } catch (error) {
        guest.#qemu.kill('SIGKILL')
        throw error
      }
    } catch (error) {
      await rm(folder, { recursive: true })
      throw error
    }
  }

  /**
   * For `boot()`.
   *
   * @param {string} folder
   * @param {string} kernel
   */
  constructor(folder, kernel) {
    this.#folder = folder
    const options = {
      machine: 'pc,accel=tcg',
      cpu: 'max',
      m: '1024',
      smp: '2',
      display: 'none',
      kernel,
      initrd: join(folder, 'image'),
      append: 'console=ttyS0 quiet panic=-1 rdinit=/guest/init.sh',
    }
    const args = Object.entries(options).flatMap(([name, value]) => [`-${name}`, value])
    const ports = ['-serial', `file:${join(folder, 'console')}`, '-serial', 'stdio']
    const untilWeDie = ['--pdeathsig', 'KILL', 'qemu-system-x86_64']
    this.#qemu = spawn('setpriv', [...untilWeDie, '-nodefaults', '-no-reboot', ...args, ...ports], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#qemu.stdin.on('error', () => {})
    createInterface({ input: this.#qemu.stdout }).on('line', (line) => {
      const { id, ...event } = JSON.parse(line)
      this.#events.emit(id === undefined ? 'ready' : `process-${id}`, event)
    })
  }

  /**
   * Starts a program in the guest, as root.
   *
   * @param {string} command
   * @param {string[]} [args]
   * @param {ProcessOptions} [options]
   * @returns {GuestProcess}
   */
  start(command, args = [], { env = {} } = {}) {
    const id = this.#processes++
    const guestProcess = new GuestProcess((message) => this.#tell({ id, ...message }))
    this.#events.on(`process-${id}`, (event) => guestProcess.hear(event))
    this.#tell({ id, command, args, env })
    return guestProcess
  }

  /**
   * Runs a program in the guest to its end.
   *
   * @param {string} command
   * @param {string[]} [args]
   * @param {ProcessOptions} [options]
   * @returns {Promise<GuestProcess>}
   */
  async run(command, args, options) {
    return this.start(command, args, options).untilEnd()
  }

  /** Ends the guest. Nothing of it is left. */
  async halt() {
    this.#qemu.kill('SIGKILL')
    if (this.#qemu.exitCode === null && this.#qemu.signalCode === null) {
      await once(this.#qemu, 'close')
    }
    await rm(this.#folder, { recursive: true })
  }

  /** @param {object} message */
  #tell(message) {
    this.#qemu.stdin.write(`${JSON.stringify(message)}\n`)
  }

  async #untilReady() {
    const ended = once(this.#qemu, 'close').then(async () => {
      const text = await readFile(join(this.#folder, 'console'), 'utf8').catch(() => '')
      throw new Error(`the guest has ended\n${text}`)
    })
    await Promise.race([once(this.#events, 'ready'), ended])
    ended.catch(() => {})
  }
}
