import { isMainThread } from 'node:worker_threads'
import { callBack } from './call-back.js'
import { diagnostics } from './diagnostics.js'
import { NotifyError } from './errors.js'
import { HealthCheck, type Health } from './health-check.js'
import { LONGEST_TIMER_MS } from './longest-timer.js'
import { type CommonOptions, notifyInBackground } from './notify.js'
import { onAbort } from './on-abort.js'
import { warnOnce } from './warn-once.js'
import { onWatchdogInterval, watchdogInterval } from './watchdog-interval.js'

export interface WatchdogOptions extends Pick<CommonOptions, 'env' | 'transport'> {
  /**
   * Asked before each ping whether the service does what it is there for. Only `true`, and within a quarter of the interval,
   * lets the ping go out; anything else, an error included, holds it back, and the next one is tried at its time.
   */
  healthy?: () => boolean | Promise<boolean>
  /**
   * What to do when it is not: `'withhold'` (the default) leaves it to the manager, which acts when `WatchdogSec=` has passed;
   * `'trigger'` has it act at once (`WATCHDOG=trigger`, systemd 243 ff.).
   */
  whenUnhealthy?: 'withhold' | 'trigger'
  /** Hears why a ping was held back. */
  onUnhealthy?: (reason: Error) => void
  /** Ends the keep-alive, as `stop()` does. */
  signal?: AbortSignal
  /**
   * Hears that a ping could not be sent. The next one is tried all the same; without any, the manager will
   * end the service after `WatchdogSec=`. Default: a warning of the process, once for each reason.
   */
  onError?: (error: unknown) => void
}

/** A running keep-alive. */
export interface Watchdog {
  /** Time between pings in milliseconds; `undefined` while the manager does not watch this process. */
  readonly intervalMs: number | undefined
  /** Stops the pings. The manager does not stop watching: only call it when the process ends. */
  stop(): void
}

const log = diagnostics('sdbridge:notify:watchdog')

/**
 * Keeps telling the service manager that this process is alive: `WATCHDOG=1`, at once and then at half of
 * `WatchdogSec=`. Does nothing where the manager does not watch. Follows `notify({ watchdogUsec })`.
 *
 * The pings come from the main event loop, which is the point: when it is blocked they stop, and the manager
 * ends the service with `WatchdogSignal=` (SIGABRT). Call it after `ready()`: a ping before that makes the
 * manager count already; and stop it before `stopping()`, for the same reason. The timer does not keep the process alive.
 *
 * @throws NotifyError `ERR_NOTIFY_WATCHDOG_ENVIRONMENT`, as {@link watchdogInterval};
 *   `ERR_NOTIFY_MAIN_THREAD_ONLY` in a Worker, whose loop proves nothing about the main one.
 * @example
 * <!-- env: WATCHDOG_USEC=50000
 *      expect: READY=1
 *      expect: WATCHDOG=1
 *      expect: WATCHDOG=1
 *      request: / Hello
 *      signal: SIGTERM
 *      exit: SIGTERM -->
 * ```js
 * import { createServer } from 'node:http'
 * import { ready, watchdog } from '@sdbridge/notify'
 *
 * const server = createServer((request, response) => response.end('Hello\n'))
 * server.listen(8080, async () => {
 *   await ready()
 *   watchdog({ healthy: () => server.listening })
 * })
 * ```
 */
export function watchdog(options: WatchdogOptions = {}): Watchdog {
  if (!isMainThread) {
    throw new NotifyError(
      'ERR_NOTIFY_MAIN_THREAD_ONLY',
      'watchdog() must be called in the main thread: a Worker runs on while the main loop is blocked',
    )
  }
  const keepAlive = new KeepAlive(options)
  keepAlive.start()
  return {
    get intervalMs() {
      return keepAlive.intervalMs
    },
    stop: () => keepAlive.stop(),
  }
}

class KeepAlive {
  readonly #options: WatchdogOptions
  readonly #env: NodeJS.ProcessEnv
  readonly #health: HealthCheck | undefined
  readonly #forget: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  intervalMs: number | undefined

  constructor(options: WatchdogOptions) {
    const { env = process.env, healthy } = options
    this.#options = options
    this.#env = env
    this.#health = healthy && new HealthCheck(healthy)
  }

  start(): void {
    const { signal } = this.#options
    // First, as it may throw.
    const intervalMs = watchdogInterval({ env: this.#env })
    if (signal?.aborted === true) return
    if (signal !== undefined) this.#forget.push(onAbort(signal, () => this.stop()))
    this.#forget.push(
      onWatchdogInterval(this.#env, () => this.#follow(watchdogInterval({ env: this.#env }))),
    )
    this.#follow(intervalMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.intervalMs = undefined
    for (const forget of this.#forget.splice(0)) forget()
  }

  #follow(intervalMs: number | undefined): void {
    clearInterval(this.#timer)
    this.intervalMs = intervalMs === undefined ? undefined : pingEveryMs(intervalMs)
    log()('a ping is due every %s ms', this.intervalMs ?? '(never)')
    if (this.intervalMs === undefined) return
    this.#timer = setInterval(() => this.#beat(), this.intervalMs).unref()
    this.#beat()
  }

  #beat(): void {
    if (this.#health === undefined) {
      this.#send(true)
      return
    }
    // Half of the time between two pings: with the other half, the next one is in time.
    this.#health.check(this.intervalMs! / 2, (health) => this.#judge(health))
  }

  #judge(health: Health): void {
    // Stopped, or switched off, while it was asked.
    if (this.#timer === undefined) return
    if (health === 'healthy') {
      this.#send(true)
      return
    }
    const { onUnhealthy, whenUnhealthy = 'withhold' } = this.#options
    log()('not healthy: %s', health.message)
    if (whenUnhealthy === 'trigger') this.#send('trigger')
    callBack(onUnhealthy, health)
  }

  #send(watchdogState: true | 'trigger'): void {
    const { transport, onError = warn } = this.#options
    const options = { env: this.#env, ...(transport !== undefined && { transport }) }
    notifyInBackground({ watchdog: watchdogState }, options).catch((error: unknown) => {
      log()('%s could not be sent: %o', watchdogState === true ? 'a ping' : 'trigger', error)
      callBack(onError, error)
    })
  }
}

// Not faster than a timer can go, not slower than one can wait.
function pingEveryMs(intervalMs: number): number {
  return Math.min(Math.max(Math.floor(intervalMs / 2), 1), LONGEST_TIMER_MS)
}

function warn(error: unknown): void {
  const { message } = error as Error
  warnOnce('NOTIFY_WATCHDOG', `the service manager will end this service: ${message}`)
}
