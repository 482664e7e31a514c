import { isMainThread } from 'node:worker_threads'
import createDebug from 'debug'
import { NotifyError } from './errors.js'
import { parseInteger, UINT64_MAX } from './integer.js'
import { notify, type NotifyOptions } from './notify.js'

export interface WatchdogOptions extends Pick<NotifyOptions, 'env'> {
  /** Ends the keep-alive, as `stop()` does. */
  signal?: AbortSignal
  /**
   * Hears that a ping could not be sent. The next one is tried all the same; without any, the manager will
   * end the service after `WatchdogSec=`.
   */
  onError?: (error: unknown) => void
}

/** A running keep-alive. */
export interface Watchdog {
  /** Time between pings in milliseconds; `undefined` if the manager does not watch this process. */
  readonly intervalMs: number | undefined
  /** Stops the pings. The manager does not stop watching: only call it when the process ends. */
  stop(): void
}

const debug = createDebug('sdbridge:notify:watchdog')
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * How often the service manager wants a sign of life, in milliseconds (sd_watchdog_enabled(3)): `WatchdogSec=`
 * of the unit. `undefined` if it does not want any, or not from this process.
 *
 * @throws NotifyError `ERR_NOTIFY_WATCHDOG_ENVIRONMENT` if `$WATCHDOG_USEC` or `$WATCHDOG_PID` is not a number.
 */
export function watchdogInterval(options: Pick<NotifyOptions, 'env'> = {}): number | undefined {
  const { env = process.env } = options
  const usec = read(env, 'WATCHDOG_USEC')
  if (usec === undefined || usec === UINT64_MAX) return undefined
  if (usec === 0n) throw invalid('WATCHDOG_USEC', '0')
  const pid = read(env, 'WATCHDOG_PID')
  if (pid !== undefined && pid !== BigInt(process.pid)) return undefined
  return Number(usec) / 1000
}

/**
 * Keeps telling the service manager that this process is alive: `WATCHDOG=1`, at once and then at half of
 * `WatchdogSec=`. Does nothing where the manager does not watch.
 *
 * The pings come from the main event loop, which is the point: when it is blocked they stop, and the manager
 * ends the service with `WatchdogSignal=` (SIGABRT). Call it after `ready()`: a ping before that makes the
 * manager count already. The timer does not keep the process alive.
 *
 * @throws NotifyError `ERR_NOTIFY_WATCHDOG_ENVIRONMENT`, as {@link watchdogInterval};
 *   `ERR_NOTIFY_MAIN_THREAD_ONLY` in a Worker, whose loop proves nothing about the main one.
 */
export function watchdog(options: WatchdogOptions = {}): Watchdog {
  const { env = process.env, signal, onError } = options
  if (!isMainThread) {
    throw new NotifyError(
      'ERR_NOTIFY_MAIN_THREAD_ONLY',
      'watchdog() must be called in the main thread: a Worker runs on while the main loop is blocked',
    )
  }
  const interval = watchdogInterval({ env })
  if (interval === undefined || signal?.aborted) return { intervalMs: undefined, stop() {} }

  // Not faster than a timer can go, not slower than one can wait.
  const intervalMs = Math.min(Math.max(Math.floor(interval / 2), 1), LONGEST_TIMER_MS)
  const ping = (): void => {
    notify({ watchdog: true }, { env }).catch((error: unknown) => {
      debug('ping failed: %o', error)
      onError?.(error)
    })
  }
  const timer = setInterval(ping, intervalMs).unref()
  const stop = (): void => {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
  }
  signal?.addEventListener('abort', stop, { once: true })
  ping()
  return { intervalMs, stop }
}

function read(env: NodeJS.ProcessEnv, name: string): bigint | undefined {
  const text = env[name]
  if (text === undefined) return undefined
  const number = parseInteger(text)
  if (number === undefined) throw invalid(name, text)
  return number
}

function invalid(name: string, value: string): NotifyError {
  return new NotifyError(
    'ERR_NOTIFY_WATCHDOG_ENVIRONMENT',
    `${name} must be a positive number, but is '${value}'; the service manager sets it, see WatchdogSec= ` +
      'in systemd.service(5)',
    { assignment: name, value },
  )
}
