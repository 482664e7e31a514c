import { EventEmitter } from 'node:events'
import { type ActivationSocket, ActivationSockets } from './activation-sockets.js'
import { ManagerError } from './errors.js'
import type { MainProcess } from './main-process.js'
import { NotifySocket } from './notify-socket.js'
import type { ServiceEvents, Tell } from './service-events.js'
import { type ServiceOptions, type Unit, unitOf } from './service-options.js'
import { ServiceRun } from './service-run.js'
import {
  ACTIVE_STATE,
  type ActiveState,
  type ServiceResult,
  type SubState,
} from './service-state.js'

/** `StartLimitBurst=` and `StartLimitIntervalSec=` as systemd has them by default. */
const START_LIMIT_BURST = 5
const START_LIMIT_MS = 10_000

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
  #waiters: readonly (() => void)[] = []
  #activates = false
  #restarting = 0
  #closed = false
  /** When traffic started the service, in milliseconds; the last few times. */
  #activations: readonly number[] = []

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
          this.#tell('refused', `${reason}, from pid ${sender?.pid ?? 'unknown'}`),
        (error) => this.#tell('refused', `every further message: ${error.message}`),
      )
    } catch (error) {
      this.#sockets.close()
      throw error
    }
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
    if (this.#closed || this.activeState === 'deactivating') throw this.#wrongState('start')
    const run = this.#isOver() ? this.#begin() : this.#run!
    let started = false
    await this.#until(() => {
      // Noted when it happens: the service may be on its way out again when this function goes on.
      started ||= run.activeState === 'active' || run.activeState === 'reloading'
      return run.state !== 'start'
    })
    if (started) return
    await this.#until(() => run.main === undefined)
    const cause = run.spawnError
    const reason = cause instanceof Error ? `${run.result}, ${cause.message}` : run.result
    const message = `the service did not become ready: ${reason}`
    throw new ManagerError(
      'ERR_MANAGER_START_FAILED',
      message,
      cause === undefined ? {} : { cause },
    )
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

  /** Ends the service at once, with SIGKILL, and waits for its end. */
  async kill(): Promise<void> {
    const run = this.#run
    run?.kill('kill')
    await this.#until(() => run?.main === undefined)
  }

  /** Stops and starts the service; connections that arrive meanwhile wait in its sockets. */
  async restart(): Promise<void> {
    this.#restarting++
    try {
      await this.stop()
      await this.start()
    } finally {
      this.#restarting--
      this.#watchSockets()
    }
  }

  /** Stops the service and closes everything that was opened for it. It cannot be started again. */
  async close(): Promise<void> {
    this.#closed = true
    this.#sockets.unwatch()
    await this.stop()
    this.#sockets.close()
    this.#notifySocket.close()
  }

  #begin(): ServiceRun {
    this.#sockets.unwatch()
    const run = new ServiceRun(this.#unit, this.#notifySocket, this.#sockets.all, this.#tell)
    this.#run = run
    run.begin()
    return run
  }

  #isOver(): boolean {
    return this.state === 'dead' || this.state === 'failed'
  }

  #watchSockets(): void {
    if (!this.#activates || this.#restarting > 0 || this.#closed || !this.#isOver()) return
    this.#sockets.watch((socket) => {
      if (this.#tooManyActivations()) return
      this.#tell('activation', socket)
      // Its outcome shows in the events; nobody waits for this call.
      this.start().catch(() => {})
    })
  }

  // A service that ends without taking the connection that started it would be started again and again.
  #tooManyActivations(): boolean {
    const now = performance.now()
    this.#activations = [...this.#activations.filter((at) => now - at < START_LIMIT_MS), now]
    if (this.#activations.length <= START_LIMIT_BURST) return false
    this.#tell(
      'refused',
      `traffic: it started the service ${START_LIMIT_BURST} times within ${START_LIMIT_MS / 1000} s; start it by hand`,
    )
    return true
  }

  // State first, then those who wait for it, then the listeners: one that throws must not stop the others.
  #tell: Tell = (event, ...args) => {
    if (event === 'state') {
      for (const settle of this.#waiters) settle()
      if (this.#isOver()) this.#watchSockets()
    }
    try {
      // emit() does not know that the arguments belong to the event.
      const emit = this.emit.bind(this) as unknown as Tell
      emit(event, ...args)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  #until(reached: () => boolean): Promise<void> {
    if (reached()) return Promise.resolve()
    return new Promise((resolve) => {
      const settle = (): void => {
        if (!reached()) return
        this.#waiters = this.#waiters.filter((waiter) => waiter !== settle)
        resolve()
      }
      this.#waiters = [...this.#waiters, settle]
    })
  }

  #wrongState(verb: string): ManagerError {
    const state = this.#closed ? 'closed' : `${this.activeState} (${this.state})`
    const message = `cannot ${verb} a service that is ${state}`
    return new ManagerError('ERR_MANAGER_WRONG_STATE', message)
  }
}
