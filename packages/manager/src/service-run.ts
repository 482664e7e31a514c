import { monotonicUsec } from '@sdbridge/syscalls'
import type { Notification, ParsedAssignments } from '@sdbridge/notify/receiver'
import type { ActivationSocket } from './activation-sockets.js'
import { Deadline } from './deadline.js'
import { MainProcess } from './main-process.js'
import type { NotifySocket } from './notify-socket.js'
import type { Tell } from './service-events.js'
import type { Unit } from './service-options.js'
import {
  ACTIVE_STATE,
  type ActiveState,
  type ServiceResult,
  type SubState,
} from './service-state.js'

/** What systemd counts as a clean end beside exit code 0. */
const CLEAN_SIGNALS: ReadonlySet<string> = new Set(['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE'])
const UINT64_MAX = 2n ** 64n - 1n

/**
 * One run of a service, from the start of its main process to the end of it: the state machine of
 * systemd.service(5), moved by the service's messages, by time and by the end of the process.
 */
export class ServiceRun {
  readonly #unit: Unit
  readonly #notifySocket: NotifySocket
  readonly #sockets: readonly ActivationSocket[]
  readonly #tell: Tell
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
  #statusText = ''
  #reloadBegan = 0n
  #reloadTimedOut = false
  #stoppingSeen = false
  #spawnError: unknown

  constructor(
    unit: Unit,
    notifySocket: NotifySocket,
    sockets: readonly ActivationSocket[],
    tell: Tell,
  ) {
    this.#unit = unit
    this.#notifySocket = notifySocket
    this.#sockets = sockets
    this.#tell = tell
    this.#watchdogMs = unit.watchdogMs
  }

  get state(): SubState {
    return this.#state
  }

  get activeState(): ActiveState {
    return ACTIVE_STATE[this.#state]
  }

  get result(): ServiceResult {
    return this.#result
  }

  get statusText(): string {
    return this.#statusText
  }

  /** `undefined` once it has ended. */
  get main(): MainProcess | undefined {
    return this.#main
  }

  /** Why the main process could not be started, if that is why there is none. */
  get spawnError(): unknown {
    return this.#spawnError
  }

  /** Whether the last reload took longer than it may. */
  get reloadTimedOut(): boolean {
    return this.#reloadTimedOut
  }

  /** Starts the main process. */
  begin(): void {
    this.#enter('start')
    try {
      this.#main = new MainProcess(this.#unit, this.#notifySocket.address, this.#sockets, {
        onExit: (code, signal) => this.#onExit(code, signal),
        onError: (error) => this.#onSpawnError(error),
      })
    } catch (error) {
      this.#onSpawnError(error)
      return
    }
    if (this.#main.pid === undefined) return
    this.#tell('spawn', this.#main.pid)
    if (this.#unit.type === 'simple') this.#enterRunning()
    else this.#timeout.set(this.#unit.startTimeoutMs)
  }

  /** Sends `ReloadSignal=`; under `Type=notify-reload` the state follows the service's answer. */
  reload(): void {
    this.#reloadBegan = monotonicUsec()
    this.#reloadTimedOut = false
    if (this.#unit.type === 'notify-reload') {
      this.#enter('reload-signal')
      this.#timeout.set(this.#unit.startTimeoutMs)
    }
    this.#tell('signal', this.#unit.reloadSignal, 'reload')
    if (this.#main?.kill(this.#unit.reloadSignal) === false) this.#tellUnkillable()
  }

  /** Sends `KillSignal=`, unless the service is on its way out already. */
  stop(): void {
    if (this.activeState !== 'deactivating') this.#terminate('stop')
  }

  /** Sends SIGKILL at once. */
  kill(reason: string): void {
    if (this.#main === undefined || this.#state === 'stop-sigkill') return
    this.#enter('stop-sigkill')
    this.#signalAll('SIGKILL', reason)
  }

  /** Takes a message from the notify socket. */
  receive({ assignments, problems, sender }: Notification): void {
    const refusal = this.#refusalOf(sender.pid)
    if (refusal !== undefined) {
      this.#tell('refused', refusal)
      return
    }
    this.#tell('notification', assignments)
    for (const { assignment, reason } of problems) {
      this.#tell('refused', `${assignment}: ${reason}`)
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
  #applyState({ stopping, ready, reloading, ...rest }: ParsedAssignments): void {
    if (this.#stoppingSeen || this.activeState === 'deactivating') return
    if (stopping) {
      this.#stoppingSeen = true
      if (this.#state !== 'start') this.#enterStopping()
      return
    }
    const answersReload =
      this.#state === 'reload-signal' &&
      reloading === true &&
      rest.monotonicUsec !== undefined &&
      rest.monotonicUsec >= this.#reloadBegan
    if (ready) {
      if (this.#state === 'start' || this.#state === 'reload-notify' || answersReload) {
        this.#enterRunning()
      }
    } else if (reloading && (this.#state === 'running' || answersReload)) {
      this.#enterReloadNotify()
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
      const off = watchdogUsec === 0n || watchdogUsec === UINT64_MAX
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
    if (starting) this.#armWatchdog()
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
      this.kill('did not end in time')
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
    // As KillMode=control-group: what the main process leaves behind ends with it.
    this.#main?.killGroup('SIGKILL')
    if (this.#result === 'success') this.#result = this.#resultOf(code, signal)
    this.#tell('exit', code, signal)
    this.#end()
  }

  #onSpawnError(error: unknown): void {
    this.#spawnError = error
    this.#result = 'resources'
    this.#end()
  }

  #end(): void {
    this.#timeout.clear()
    this.#watchdog.clear()
    this.#main = undefined
    this.#enter(this.#result === 'success' ? 'dead' : 'failed')
  }

  // To end well before READY=1 is a breach of protocol, unless the service was told to stop.
  #resultOf(code: number | null, signal: NodeJS.Signals | null): ServiceResult {
    const clean = signal === null ? code === 0 : CLEAN_SIGNALS.has(signal)
    if (clean) return this.#state === 'start' ? 'protocol' : 'success'
    return signal === null ? 'exit-code' : 'signal'
  }

  #signalAll(signal: NodeJS.Signals, reason: string): void {
    this.#tell('signal', signal, reason)
    if (this.#main?.killGroup(signal) === false) this.#tellUnkillable()
  }

  #tellUnkillable(): void {
    this.#tell(
      'refused',
      'the service could not be signalled: it runs as another user, or has just ended',
    )
  }

  #enter(state: SubState): void {
    const previous = this.#state
    if (state === previous) return
    this.#state = state
    this.#tell('state', state, previous)
  }
}
