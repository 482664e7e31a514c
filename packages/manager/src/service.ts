import { EventEmitter } from 'node:events'
import { type ActivationSocket, ActivationSockets } from './activation-sockets.js'
import { ManagerError } from './errors.js'
import type { MainProcess } from './main-process.js'
import { NotifySocket } from './notify-socket.js'
import type { ServiceEvents } from './service-events.js'
import { type ServiceOptions, type Unit, unitOf } from './service-options.js'
import { ServiceRun } from './service-run.js'
import {
  ACTIVE_STATE,
  type ActiveState,
  type ServiceResult,
  type SubState,
} from './service-state.js'

/**
 * One service under an embedded manager, for development and tests without systemd. It holds the service's
 * sockets, and starts, reloads and stops it as `systemctl` does.
 */
export class Service extends EventEmitter<ServiceEvents> {
  readonly #unit: Unit
  readonly #sockets: ActivationSockets
  readonly #notifySocket: NotifySocket
  /** The present run, or the last one. */
  #run: ServiceRun | undefined
  #activates = false

  /**
   * Opens the sockets and the notify socket; nothing is started yet.
   *
   * @throws ManagerError `ERR_MANAGER_INVALID_OPTION`; SystemError, such as `EADDRINUSE`.
   */
  constructor(options: ServiceOptions) {
    super()
    this.#unit = unitOf(options)
    this.#sockets = new ActivationSockets(this.#unit.sockets)
    try {
      this.#notifySocket = new NotifySocket(
        (notification) => this.#run?.receive(notification),
        ({ reason, sender }) =>
          this.emit('refused', `${reason}, from pid ${sender?.pid ?? 'unknown'}`),
      )
    } catch (error) {
      this.#sockets.close()
      throw error
    }
    this.on('state', (state) => {
      if (state === 'dead') this.#watchSockets()
    })
  }

  get state(): SubState {
    return this.#run?.state ?? 'dead'
  }

  get activeState(): ActiveState {
    return ACTIVE_STATE[this.state]
  }

  /** How the last run ended. */
  get result(): ServiceResult {
    return this.#run?.result ?? 'success'
  }

  /** The last `STATUS=` of the present run, or of the last one. */
  get statusText(): string {
    return this.#run?.statusText ?? ''
  }

  get mainPid(): number | undefined {
    return this.#run?.main?.pid
  }

  /** The service's standard output and error, if the option `output` is `'pipe'`. */
  get output(): MainProcess['output'] | undefined {
    return this.#run?.main?.output
  }

  /** The sockets that the manager holds for the service. */
  get sockets(): readonly ActivationSocket[] {
    return this.#sockets.all
  }

  /** From now on, starts the service when something arrives at its sockets, as a `.socket` unit does. */
  activateOnTraffic(): void {
    this.#activates = true
    this.#watchSockets()
  }

  /**
   * Starts the service and waits until it is ready (`systemctl start`).
   *
   * @throws ManagerError `ERR_MANAGER_START_FAILED`, or `ERR_MANAGER_WRONG_STATE` while it stops.
   */
  async start(): Promise<void> {
    if (this.activeState === 'deactivating') throw this.#wrongState('start')
    const run = this.#isOver() ? this.#begin() : this.#run!
    let started = false
    await this.#until(() => {
      // Noted when it happens: the service may be on its way out again when this function goes on.
      started ||= run.activeState === 'active' || run.activeState === 'reloading'
      return run.state !== 'start'
    })
    if (started) return
    await this.#until(() => run.main === undefined)
    const message = `the service did not become ready: ${run.result}`
    throw new ManagerError('ERR_MANAGER_START_FAILED', message)
  }

  /**
   * Sends `ReloadSignal=` to the main process (`systemctl reload`). Under `Type=notify-reload` it waits until
   * the service has reported the end of the reload; otherwise it does not, as with `ExecReload=kill -HUP $MAINPID`.
   *
   * @throws ManagerError `ERR_MANAGER_RELOAD_FAILED`, or `ERR_MANAGER_WRONG_STATE` if it is not running.
   */
  async reload(): Promise<void> {
    const run = this.#run
    if (run?.state !== 'running') throw this.#wrongState('reload')
    run.reload()
    await this.#until(() => run.activeState !== 'reloading')
    if (run.state === 'running' && !run.reloadTimedOut) return
    const message = run.reloadTimedOut
      ? `no RELOADING=1 with MONOTONIC_USEC=, then READY=1, within ${this.#unit.startTimeoutMs} ms`
      : 'the service ended during its reload'
    throw new ManagerError('ERR_MANAGER_RELOAD_FAILED', message)
  }

  /** Stops the service and waits for its end (`systemctl stop`). The sockets stay open. */
  async stop(): Promise<void> {
    const run = this.#run
    if (run?.main === undefined) return
    run.stop()
    await this.#until(() => run.main === undefined)
  }

  /** Stops and starts the service; connections that arrive meanwhile wait in its sockets. */
  async restart(): Promise<void> {
    const activates = this.#activates
    this.#activates = false
    try {
      await this.stop()
      await this.start()
    } finally {
      this.#activates = activates
      this.#watchSockets()
    }
  }

  /** Stops the service and closes everything that was opened for it. */
  async close(): Promise<void> {
    this.#activates = false
    this.#sockets.unwatch()
    await this.stop()
    this.#sockets.close()
    this.#notifySocket.close()
  }

  #begin(): ServiceRun {
    this.#sockets.unwatch()
    const run = new ServiceRun(this.#unit, this.#notifySocket, this.#sockets.all, this)
    this.#run = run
    run.begin()
    return run
  }

  #isOver(): boolean {
    return this.state === 'dead' || this.state === 'failed'
  }

  #watchSockets(): void {
    if (!this.#activates || this.state !== 'dead') return
    this.#sockets.watch((socket) => {
      this.emit('activation', socket)
      // Its outcome shows in the events; nobody waits for this call.
      this.start().catch(() => {})
    })
  }

  #until(reached: () => boolean): Promise<void> {
    if (reached()) return Promise.resolve()
    return new Promise((resolve) => {
      const onState = (): void => {
        if (!reached()) return
        this.off('state', onState)
        resolve()
      }
      this.on('state', onState)
    })
  }

  #wrongState(verb: string): ManagerError {
    const message = `cannot ${verb} a service that is ${this.activeState} (${this.state})`
    return new ManagerError('ERR_MANAGER_WRONG_STATE', message)
  }
}
