import { isMainThread } from 'node:worker_threads'
import type { Assignments } from './assignments.js'
import { callBack } from './call-back.js'
import { diagnostics } from './diagnostics.js'
import { errnoFromName } from './errno-names.js'
import { invalidArgType, NotifyError } from './errors.js'
import { type CommonOptions, notify, notifyInBackground } from './notify.js'
import { notifySocketOf } from './service-environment.js'
import { TimeoutExtension } from './timeout-extension.js'
import { type Watchdog, watchdog, type WatchdogOptions } from './watchdog.js'
import { watchdogInterval } from './watchdog-interval.js'

export interface LifecycleOptions
  extends
    Pick<CommonOptions, 'env' | 'transport'>,
    Pick<WatchdogOptions, 'healthy' | 'whenUnhealthy' | 'onUnhealthy'> {
  /**
   * Starts the service. When it resolves, `READY=1` is sent, with the text that it gives as the status. `signal` is aborted
   * when the service is to stop before it has started. What it throws is thrown by {@link lifecycle}.
   */
  start?: (signal: AbortSignal) => Answer<string | void>
  /**
   * Reads the configuration again, on `SIGHUP`, between `RELOADING=1` and `READY=1`. A text is the new status. When it throws,
   * the service goes on with what it had, and the status tells the error. Without it a reload does nothing and succeeds; where
   * there is no service manager, `SIGHUP` is left alone then.
   */
  reload?: () => Answer<string | void>
  /**
   * Ends the service, on `SIGTERM` or `SIGINT`, after `STOPPING=1`; meanwhile more time is asked for with `EXTEND_TIMEOUT_USEC=`.
   * A whole number is the exit code. When it throws, the exit code is 1, and the status and `ERRNO=` tell the error. After it, a
   * manager that is busy is waited for one second at the most.
   */
  stop?: (signal: StopSignal) => Answer<number | void>
  /** For how long `stop` may have its time extended, in milliseconds; then `TimeoutStopSec=` counts. Default 5 minutes. */
  stopTimeoutMs?: number
  /**
   * Called last, with the exit code. Default: sets `process.exitCode`, so that the process ends when it has nothing to do any
   * more. `process.exit` ends it at once, whatever is still open.
   */
  exit?: (code: number) => void
  /** Hears what could not be sent, and what `reload` and `stop` throw. Default: a warning of the process, each time. */
  onError?: (error: unknown) => void
}

/** The signals that end a service. */
export type StopSignal = 'SIGTERM' | 'SIGINT'

/** What a handler gives back, at once or later. */
export type Answer<Value> = Value | Promise<Value>

/** A service whose signals and states are tied together. */
export interface Lifecycle {
  /** Resolves with the exit code when the service has stopped. */
  readonly stopped: Promise<number>
  /** Does what `SIGHUP` does; resolves when the reload is over, or at once if the service is stopping. */
  reload(): Promise<void>
  /** Does what `SIGTERM` does; resolves with the exit code. */
  stop(): Promise<number>
}

/**
 * Ties a service's signals to the states that the service manager is told, in one call: starts it and says `READY=1`, keeps the
 * watchdog content ({@link watchdog}), on `SIGHUP` says `RELOADING=1`, reloads and says `READY=1`, and on `SIGTERM` or `SIGINT` says
 * `STOPPING=1`, stops and sets the exit code. Without a service manager it does the same and says nothing.
 *
 * The unit: `Type=notify-reload` (before systemd 253: `Type=notify` and `ExecReload=/bin/kill -HUP $MAINPID`), and `WatchdogSec=` if
 * wanted. node must be the main process, started by `ExecStart=` itself.
 *
 * `SIGHUP` during the start or during a reload leads to one more reload afterwards. A signal to stop during the start aborts
 * it, and `stop` is called when it has ended. A second `SIGINT`, as by an impatient Ctrl-C, ends the process.
 *
 * @returns when the service has started, or has stopped before that.
 * @throws What `start` throws; the status and `ERRNO=` have told it. What {@link notify} throws if `READY=1` cannot be sent, as
 *   the service manager would wait for it in vain. What {@link watchdogInterval} throws, before the start. NotifyError
 *   `ERR_NOTIFY_MAIN_THREAD_ONLY` in a Worker, which gets no signals.
 * @example
 * <!-- expect: READY=1, STATUS=Serving on port 8080
 *      request: / Hello
 *      signal: SIGHUP
 *      expect: RELOADING=1, MONOTONIC_USEC=...
 *      expect: READY=1, STATUS=Nothing to read again
 *      signal: SIGTERM
 *      expect: STOPPING=1, EXTEND_TIMEOUT_USEC=...
 *      expect: EXIT_STATUS=0 -->
 * ```js
 * import { once } from 'node:events'
 * import { createServer } from 'node:http'
 * import { lifecycle } from '@sdbridge/notify'
 *
 * const server = createServer((request, response) => response.end('Hello\n'))
 * await lifecycle({
 *   async start() {
 *     await once(server.listen(8080), 'listening')
 *     return 'Serving on port 8080'
 *   },
 *   reload: () => 'Nothing to read again',
 *   stop: () => new Promise((resolve) => server.close(() => resolve())),
 * })
 * ```
 */
export async function lifecycle(options: LifecycleOptions): Promise<Lifecycle> {
  if (!isMainThread) {
    throw new NotifyError(
      'ERR_NOTIFY_MAIN_THREAD_ONLY',
      'lifecycle() must be called in the main thread: a Worker gets no signals',
    )
  }
  // Not only when the service has started, and the manager has been told so.
  watchdogInterval(options.env && { env: options.env })
  const service = new ServiceLifecycle(options)
  await service.start()
  return {
    stopped: service.stopped,
    reload: () => service.reload(),
    stop: () => service.stop(),
  }
}

const log = diagnostics('sdbridge:notify:lifecycle')
const FIVE_MINUTES_MS = 300_000
/** Two SIGINT within this time are one: npm passes on what the terminal has sent to its child already. */
const IMPATIENCE_MS = 1000
const LAST_WORDS_MS = 1000

class ServiceLifecycle {
  readonly stopped: Promise<number>
  readonly #options: LifecycleOptions
  readonly #startAbort = new AbortController()
  /** Ends the wait for a manager that does not read: a service that is to stop is not ready any more. */
  readonly #readyAbort = new AbortController()
  readonly #handlers: (readonly [NodeJS.Signals, () => void])[] = []
  #phase: 'starting' | 'started' | 'failed' = 'starting'
  #starting: Promise<unknown> = Promise.resolve()
  #watchdog: Watchdog | undefined
  #reloading: Promise<void> | undefined
  #reloadAgain = false
  #lastReloadFailed = false
  #stopping: Promise<number> | undefined
  #stoppingSince = 0
  #resolveStopped!: (code: number) => void

  constructor(options: LifecycleOptions) {
    this.#options = options
    this.stopped = new Promise((resolve) => (this.#resolveStopped = resolve))
  }

  async start(): Promise<void> {
    // Before anything else: a signal may come at any time.
    this.#on('SIGTERM', () => void this.#stop('SIGTERM'))
    this.#on('SIGINT', () => this.#interrupt())
    if (this.#reloads()) this.#on('SIGHUP', () => void this.reload())
    const starting = this.#start()
    this.#starting = starting.catch(() => {})
    try {
      await starting
    } catch (error) {
      // Told by stop(): the start was to be given up.
      if (this.#stopping === undefined) throw error
    }
    await this.#stopping
  }

  // Since 262 systemd refuses READY=1 from a service of Type=notify-reload that has no handler for the signal.
  #reloads(): boolean {
    const { env = process.env, reload } = this.#options
    return reload !== undefined || notifySocketOf(env) !== undefined
  }

  reload(): Promise<void> {
    if (this.#reloading !== undefined) this.#reloadAgain = true
    return (this.#reloading ??= this.#reloadAll())
  }

  stop(): Promise<number> {
    return this.#stop('SIGTERM')
  }

  async #start(): Promise<void> {
    try {
      const text = await this.#options.start?.(this.#startAbort.signal)
      this.#phase = 'started'
      if (this.#stopping !== undefined) return
      await this.#notify({ ready: true, ...statusOf(text) }, this.#readyAbort.signal)
      // That may have had to wait.
      if (this.#stopping !== undefined) return
      this.#watchdog = watchdog({ ...this.#options, onError: (error) => this.#report(error) })
    } catch (error) {
      this.#phase = 'failed'
      if (this.#stopping === undefined) {
        this.#release()
        // Who cannot be reached for READY=1 cannot be told this either.
        await this.#notify(failure('Start failed', error)).catch(() => {})
      }
      throw error
    }
  }

  async #reloadAll(): Promise<void> {
    try {
      await this.#starting
      do {
        this.#reloadAgain = false
        if (this.#stopping === undefined && this.#phase === 'started') await this.#reloadOnce()
      } while (this.#reloadAgain)
    } finally {
      // In the same turn as the last look: who calls from now on starts another one.
      this.#reloading = undefined
    }
  }

  async #reloadOnce(): Promise<void> {
    // Not waited for: what is said keeps its order, and a busy manager must not hold up the reload.
    void this.#say({ reloading: true })
    const said = await this.#outcomeOfReload()
    if (this.#stopping === undefined) await this.#say({ ready: true, ...said })
  }

  async #outcomeOfReload(): Promise<Assignments> {
    try {
      const text = await this.#options.reload?.()
      // The error of the last time is not to stand there for ever.
      const status = statusOf(text ?? (this.#lastReloadFailed ? '' : undefined))
      this.#lastReloadFailed = false
      return status
    } catch (error) {
      this.#lastReloadFailed = true
      this.#report(error)
      return { status: `Reload failed: ${messageOf(error)}` }
    }
  }

  #interrupt(): void {
    if (this.#stopping === undefined) void this.#stop('SIGINT')
    else if (performance.now() - this.#stoppingSince > IMPATIENCE_MS) {
      this.#release()
      process.kill(process.pid, 'SIGINT')
    }
  }

  #stop(signal: StopSignal): Promise<number> {
    return (this.#stopping ??= this.#stopOnce(signal))
  }

  async #stopOnce(signal: StopSignal): Promise<number> {
    log()('stopping')
    this.#stoppingSince = performance.now()
    // A ping would arm the manager's timer anew.
    this.#watchdog?.stop()
    const { stopTimeoutMs = FIVE_MINUTES_MS, exit = setExitCode } = this.#options
    const extension = new TimeoutExtension(stopTimeoutMs, (extendTimeoutUsec) => {
      void this.#sayInBackground({ extendTimeoutUsec })
    })
    void this.#sayInBackground({ stopping: true, extendTimeoutUsec: extension.first })
    const code = await this.#outcomeOfStop(signal)
    extension.end()
    this.#release()
    callBack(exit, code)
    this.#resolveStopped(code)
    return code
  }

  async #outcomeOfStop(signal: StopSignal): Promise<number> {
    // In the next turn, when #stopping is known to those who hear of it.
    await Promise.resolve()
    this.#readyAbort.abort()
    if (this.#phase === 'starting') {
      this.#startAbort.abort(new Error(`${signal} has come before the service had started`))
    }
    try {
      await this.#starting
      const code = exitCodeOf(await this.#options.stop?.(signal))
      await this.#sayLast({ exitStatus: code & 0xff })
      return code
    } catch (error) {
      this.#report(error)
      await this.#sayLast({ ...failure('Stopping failed', error), exitStatus: 1 })
      return 1
    }
  }

  // A manager that does not read must not keep the process from its end.
  async #sayLast(assignments: Assignments): Promise<void> {
    const signal = AbortSignal.timeout(LAST_WORDS_MS)
    await this.#notify(assignments, signal).catch((error: unknown) => {
      if (!signal.aborted) this.#report(error)
    })
  }

  // For the same reason; the last words, which come after these, are waited for.
  async #sayInBackground(assignments: Assignments): Promise<void> {
    await this.#reportFailure(notifyInBackground(assignments, this.#notifyOptions()))
  }

  async #say(assignments: Assignments): Promise<void> {
    await this.#reportFailure(this.#notify(assignments))
  }

  async #reportFailure(sending: Promise<void>): Promise<void> {
    try {
      await sending
    } catch (error) {
      this.#report(error)
    }
  }

  async #notify(assignments: Assignments, signal?: AbortSignal): Promise<void> {
    await notify(assignments, { ...this.#notifyOptions(), ...(signal && { signal }) })
  }

  #notifyOptions(): Pick<CommonOptions, 'env' | 'transport'> {
    const { env, transport } = this.#options
    return { ...(env && { env }), ...(transport && { transport }) }
  }

  #report(error: unknown): void {
    const { onError = warn } = this.#options
    callBack(onError, error)
  }

  #on(signal: NodeJS.Signals, handler: () => void): void {
    this.#handlers.push([signal, handler])
    process.on(signal, handler)
  }

  #release(): void {
    for (const [signal, handler] of this.#handlers.splice(0)) process.off(signal, handler)
  }
}

function statusOf(text: unknown): Assignments {
  return typeof text === 'string' ? { status: text } : {}
}

// What is no number is a result that is not meant for us, as of `stop: () => server.close()`.
function exitCodeOf(answer: unknown): number {
  if (typeof answer !== 'number') return 0
  if (!Number.isInteger(answer)) throw invalidArgType('exit code', 'a whole number', answer)
  return answer
}

function failure(what: string, error: unknown): Assignments {
  const { errno, code } = (error ?? {}) as { errno?: unknown; code?: unknown }
  // Those of the system are negative in Node; a positive one may be of anything, a database for example.
  const isOfSystem = typeof errno === 'number' && errno < 0 && errno >= -4095
  const known = isOfSystem ? -errno : errnoFromName(String(code))
  return {
    status: `${what}: ${messageOf(error)}`,
    ...(known !== undefined && { errno: known }),
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function setExitCode(code: number): void {
  process.exitCode = code
}

// Each time: a reload that fails once more is news.
function warn(error: unknown): void {
  process.emitWarning(messageOf(error), { type: 'NotifyWarning', code: 'NOTIFY_LIFECYCLE' })
}
