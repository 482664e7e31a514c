import { EventEmitter } from 'node:events'
import type { Notification, ParsedAssignments } from '@sdbridge/notify/receiver'
import { type ActivationSocket, ActivationSockets } from './activation-sockets.js'
import { Deadline } from './deadline.js'
import { ManagerError } from './errors.js'
import { MainProcess } from './main-process.js'
import { NotifySocket } from './notify-socket.js'
import { type ServiceOptions, type Unit, unitOf } from './service-options.js'
import {
  ACTIVE_STATE,
  type ActiveState,
  type ServiceResult,
  type SubState,
} from './service-state.js'

/** What a {@link Service} tells: enough for a readable timeline. */
export interface ServiceEvents {
  /** The state changed. */
  state: [state: SubState, previous: SubState]
  /** Something arrived at a socket while the service was not running, which starts it. */
  activation: [socket: ActivationSocket]
  /** The main process was started. */
  spawn: [pid: number]
  /** A message that `NotifyAccess=` admits. */
  notification: [assignments: ParsedAssignments]
  /** A message that was ignored, and why. */
  refused: [reason: string]
  /** The service is sent a signal. */
  signal: [signal: NodeJS.Signals, reason: string]
  /** The main process has ended. */
  exit: [code: number | null, signal: NodeJS.Signals | null]
}

/**
 * One service under an embedded manager, for development and tests without systemd. It has the states of
 * systemd.service(5), and the same rules for what moves it from one to the next.
 */
export class Service extends EventEmitter<ServiceEvents> {
  readonly #unit: Unit
  readonly #sockets: ActivationSockets
  readonly #notifySocket: NotifySocket
  readonly #timeout = new Deadline(
    () => this.#notifySocket.readNow(),
    () => this.#onTimeout(),
  )
  readonly #watchdog = new Deadline(
    () => this.#notifySocket.readNow(),
    () => this.#onWatchdog('no WATCHDOG=1 in time'),
  )
  #watchdogMs: number | undefined
  #main: MainProcess | undefined
  #state: SubState = 'dead'
  #result: ServiceResult = 'success'
  #reloadTimedOut = false
  #reloadBegan = 0n
  #statusText = ''
  #stoppingSeen = false
  #reloadingSeen = false
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
        (notification) => this.#onNotification(notification),
        ({ reason, sender }) =>
          this.emit('refused', `${reason}, from pid ${sender?.pid ?? 'unknown'}`),
      )
    } catch (error) {
      this.#sockets.close()
      throw error
    }
  }

  get state(): SubState {
    return this.#state
  }

  get activeState(): ActiveState {
    return ACTIVE_STATE[this.#state]
  }

  /** How the last run ended. */
  get result(): ServiceResult {
    return this.#result
  }

  /** The last `STATUS=` of this run. */
  get statusText(): string {
    return this.#statusText
  }

  get mainPid(): number | undefined {
    return this.#main?.pid
  }

  /** The service's standard output and error, if the option `output` is `'pipe'`. */
  get output(): MainProcess['output'] | undefined {
    return this.#main?.output
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
    if (this.#main === undefined) this.#spawn()
    let started = false
    await this.#until(() => {
      // Noted when it happens: the service may be on its way out again when this function goes on.
      started ||= this.activeState === 'active' || this.activeState === 'reloading'
      return this.#state !== 'start'
    })
    if (started) return
    await this.#until(() => this.#main === undefined)
    const message = `the service did not become ready: ${this.#result}`
    throw new ManagerError('ERR_MANAGER_START_FAILED', message)
  }

  /**
   * Sends `ReloadSignal=` to the main process (`systemctl reload`). Under `Type=notify-reload` it waits until
   * the service has reported the end of the reload; otherwise it does not, as with `ExecReload=kill -HUP $MAINPID`.
   *
   * @throws ManagerError `ERR_MANAGER_RELOAD_FAILED`, or `ERR_MANAGER_WRONG_STATE` if it is not running.
   */
  async reload(): Promise<void> {
    if (this.#state !== 'running') throw this.#wrongState('reload')
    this.#reloadBegan = process.hrtime.bigint() / 1000n
    this.#reloadTimedOut = false
    const waits = this.#unit.type === 'notify-reload'
    if (waits) {
      this.#enter('reload-signal')
      this.#timeout.set(this.#unit.startTimeoutMs)
    }
    this.#signalMain()
    if (!waits) return

    await this.#until(() => this.activeState !== 'reloading')
    if (this.#state === 'running' && !this.#reloadTimedOut) return
    const message = this.#reloadTimedOut
      ? `no RELOADING=1 with MONOTONIC_USEC=, then READY=1, within ${this.#unit.startTimeoutMs} ms`
      : 'the service ended during its reload'
    throw new ManagerError('ERR_MANAGER_RELOAD_FAILED', message)
  }

  /** Stops the service and waits for its end (`systemctl stop`). The sockets stay open. */
  async stop(): Promise<void> {
    if (this.#main === undefined) return
    if (this.activeState !== 'deactivating') this.#terminate('stop')
    await this.#until(() => this.#main === undefined)
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

  #spawn(): void {
    this.#sockets.unwatch()
    this.#result = 'success'
    this.#statusText = ''
    this.#stoppingSeen = false
    this.#reloadingSeen = false
    this.#watchdogMs = this.#unit.watchdogMs
    this.#enter('start')
    this.#main = new MainProcess(this.#unit, this.#notifySocket.address, this.#sockets.all, {
      onExit: (code, signal) => this.#onExit(code, signal),
      onError: () => this.#onSpawnError(),
    })
    if (this.#main.pid === undefined) return
    this.emit('spawn', this.#main.pid)
    if (this.#unit.type === 'simple') this.#enterRunning()
    else this.#timeout.set(this.#unit.startTimeoutMs)
  }

  #onNotification(notification: Notification): void {
    const { assignments, sender } = notification
    const refusal = this.#refusalOf(sender.pid)
    if (refusal !== undefined) {
      this.emit('refused', refusal)
      return
    }
    this.emit('notification', assignments)
    for (const { assignment, reason } of notification.problems) {
      this.emit('refused', `${assignment}: ${reason}`)
    }
    this.#applyState(assignments)
    this.#applyRest(assignments)
  }

  #refusalOf(pid: number): string | undefined {
    const { notifyAccess } = this.#unit
    if (this.#main === undefined) return `the service is not running, but pid ${pid} sent a message`
    if (notifyAccess === 'none') return `NotifyAccess=none, but pid ${pid} sent a message`
    if (notifyAccess === 'all' || pid === this.#main.pid) return undefined
    return `NotifyAccess=main: pid ${pid} is not the main process ${this.#main.pid}`
  }

  // As systemd 259: STOPPING is final; READY counts before RELOADING, whatever their order in the message.
  #applyState({ stopping, ready, reloading, monotonicUsec }: ParsedAssignments): void {
    if (this.#stoppingSeen) return
    if (stopping) {
      this.#stoppingSeen = true
      if (this.#state !== 'start') this.#enterStopping()
      return
    }
    const answersReload =
      this.#state === 'reload-signal' &&
      reloading === true &&
      monotonicUsec !== undefined &&
      monotonicUsec >= this.#reloadBegan
    if (ready) {
      if (this.#state === 'start' || this.#state === 'reload-notify' || answersReload) {
        this.#enterRunning()
      }
    } else if (reloading) {
      if (this.#state === 'start') this.#reloadingSeen = true
      if (this.#state === 'running' || answersReload) this.#enterReloadNotify()
    }
  }

  #applyRest(assignments: ParsedAssignments): void {
    const { status, watchdog, watchdogUsec, extendTimeoutUsec } = assignments
    if (status !== undefined) this.#statusText = status
    if (extendTimeoutUsec !== undefined) {
      this.#timeout.extend(Number(extendTimeoutUsec) / 1000)
      this.#watchdog.extend(Number(extendTimeoutUsec) / 1000)
    }
    if (watchdog === true) this.#armWatchdog()
    if (watchdog === 'trigger') this.#onWatchdog('WATCHDOG=trigger')
    if (watchdogUsec !== undefined) {
      const off = watchdogUsec === 0n || watchdogUsec === 2n ** 64n - 1n
      this.#watchdogMs = off ? undefined : Number(watchdogUsec) / 1000
      this.#armWatchdog()
    }
  }

  #armWatchdog(): void {
    if (this.#watchdogMs === undefined) this.#watchdog.clear()
    else this.#watchdog.set(this.#watchdogMs)
  }

  #enterRunning(): void {
    const starting = this.#state === 'start'
    this.#timeout.clear()
    this.#enter('running')
    if (!starting) return
    this.#armWatchdog()
    if (this.#stoppingSeen) this.#enterStopping()
    else if (this.#reloadingSeen) this.#enterReloadNotify()
  }

  #enterReloadNotify(): void {
    // The time limit of `systemctl reload` runs already; a reload by the service's own choice gets one now.
    if (this.#state === 'running') this.#timeout.set(this.#unit.startTimeoutMs)
    this.#enter('reload-notify')
  }

  #enterStopping(): void {
    this.#watchdog.clear()
    this.#timeout.set(this.#unit.stopTimeoutMs)
    this.#enter('stop-sigterm')
  }

  #terminate(reason: string): void {
    this.#enterStopping()
    this.#signalAll(this.#unit.killSignal, reason)
  }

  #onTimeout(): void {
    if (this.#state === 'start') {
      this.#result = 'timeout'
      this.#terminate('not ready in time')
    } else if (this.activeState === 'reloading') {
      this.#reloadTimedOut = true
      this.#enter('running')
    } else if (this.#state === 'stop-sigterm' || this.#state === 'stop-watchdog') {
      if (this.#result === 'success') this.#result = 'timeout'
      this.#enter('stop-sigkill')
      this.#signalAll('SIGKILL', 'did not end in time')
    }
  }

  #onWatchdog(reason: string): void {
    if (this.#main === undefined || this.activeState === 'deactivating') return
    this.#watchdog.clear()
    this.#result = 'watchdog'
    this.#timeout.set(this.#unit.stopTimeoutMs)
    this.#enter('stop-watchdog')
    this.#signalAll(this.#unit.watchdogSignal, reason)
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#notifySocket.readNow()
    this.#timeout.clear()
    this.#watchdog.clear()
    // As KillMode=control-group: what the main process leaves behind ends with it.
    this.#main?.killGroup('SIGKILL')
    this.#main = undefined
    if (this.#result === 'success') this.#result = this.#resultOf(code, signal)
    this.emit('exit', code, signal)
    this.#enter(this.#result === 'success' ? 'dead' : 'failed')
    if (this.#state === 'dead') this.#watchSockets()
  }

  #resultOf(code: number | null, signal: NodeJS.Signals | null): ServiceResult {
    if (signal !== null) return CLEAN_SIGNALS.has(signal) ? this.#cleanResult() : 'signal'
    return code === 0 ? this.#cleanResult() : 'exit-code'
  }

  // To end well before READY=1 is a breach of protocol, unless the service was told to stop.
  #cleanResult(): ServiceResult {
    return this.#state === 'start' ? 'protocol' : 'success'
  }

  #onSpawnError(): void {
    this.#main = undefined
    this.#timeout.clear()
    this.#result = 'resources'
    this.#enter('failed')
  }

  #watchSockets(): void {
    if (!this.#activates || this.#main !== undefined || this.#state === 'failed') return
    this.#sockets.watch((socket) => {
      this.emit('activation', socket)
      // Its outcome shows in the events; nobody waits for this call.
      this.start().catch(() => {})
    })
  }

  #signalMain(): void {
    this.emit('signal', this.#unit.reloadSignal, 'reload')
    this.#main?.kill(this.#unit.reloadSignal)
  }

  #signalAll(signal: NodeJS.Signals, reason: string): void {
    this.emit('signal', signal, reason)
    this.#main?.killGroup(signal)
  }

  #enter(state: SubState): void {
    const previous = this.#state
    if (state === previous) return
    this.#state = state
    this.emit('state', state, previous)
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
    const message = `cannot ${verb} a service that is ${this.activeState} (${this.#state})`
    return new ManagerError('ERR_MANAGER_WRONG_STATE', message)
  }
}

/** What systemd counts as a clean end beside exit code 0. */
const CLEAN_SIGNALS: ReadonlySet<string> = new Set(['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE'])
