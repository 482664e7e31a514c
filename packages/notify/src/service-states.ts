import { invalidArgType } from './errors.js'
import { notify, type NotifyOptions } from './notify.js'

/**
 * Tells the service manager that start-up, or a reload, is finished: `READY=1`.
 *
 * A unit of `Type=notify` or `Type=notify-reload` is `active` only from then on, and fails if it does not
 * come within `TimeoutStartSec=`. Sending it again is harmless. See sd_notify(3).
 *
 * @param statusText What `systemctl status` shows from now on.
 * @returns Whether there is a service manager; see {@link notify} for errors.
 * @example
 * <!-- expect: READY=1, STATUS=Serving on port 8080
 *      signal: SIGTERM
 *      exit: SIGTERM -->
 * ```js
 * import { createServer } from 'node:http'
 * import { ready } from '@sdbridge/notify'
 *
 * const server = createServer((request, response) => response.end('Hello\n'))
 * server.listen(8080, () => ready('Serving on port 8080'))
 * ```
 */
export function ready(statusText?: string, options?: NotifyOptions): Promise<boolean> {
  return notify({ ready: true, ...(statusText !== undefined && { status: statusText }) }, options)
}

/**
 * Tells the service manager that a reload began: `RELOADING=1` with its `MONOTONIC_USEC=`.
 *
 * Call it after the signal (`SIGHUP`) arrived, and {@link ready} when the reload is over, also if it failed;
 * until then the unit is `reloading`, and after `TimeoutStartSec=` the reload counts as failed. `systemctl
 * reload` waits for it under `Type=notify-reload` (systemd 253 ff.). See sd_notify(3).
 *
 * @example
 * <!-- file: /etc/app.json {"greeting":"Hello"}
 *      expect: READY=1
 *      signal: SIGHUP
 *      expect: RELOADING=1, MONOTONIC_USEC=...
 *      expect: READY=1, STATUS=Reloaded
 *      signal: SIGTERM
 *      exit: SIGTERM -->
 * ```js
 * import { readFileSync } from 'node:fs'
 * import { ready, reloading } from '@sdbridge/notify'
 *
 * const read = () => JSON.parse(readFileSync('/etc/app.json', 'utf8'))
 * let config = read()
 *
 * process.on('SIGHUP', async () => {
 *   await reloading()
 *   let text = 'Reloaded'
 *   try {
 *     config = read()
 *   } catch (error) {
 *     text = `Reload failed: ${error}` // and the service goes on with what it had
 *   }
 *   await ready(text)
 * })
 * setInterval(() => console.log(config.greeting), 1000)
 * await ready()
 * ```
 */
export function reloading(options?: NotifyOptions): Promise<boolean> {
  return notify({ reloading: true }, options)
}

/**
 * Tells the service manager that the service shuts down: `STOPPING=1`.
 *
 * Irrevocable: from then on `TimeoutStopSec=` runs, after which the manager kills. Call it once, when nothing
 * can stop the end any more. See sd_notify(3).
 *
 * @example
 * <!-- expect: READY=1
 *      signal: SIGTERM
 *      expect: STOPPING=1, STATUS=Finishing the requests under way -->
 * ```js
 * import { createServer } from 'node:http'
 * import { ready, stopping } from '@sdbridge/notify'
 *
 * const server = createServer((request, response) => response.end('Hello\n'))
 * process.once('SIGTERM', () => {
 *   server.close()
 *   void stopping('Finishing the requests under way').catch(console.error)
 * })
 * server.listen(8080, () => ready())
 * ```
 */
export function stopping(statusText?: string, options?: NotifyOptions): Promise<boolean> {
  return notify(
    { stopping: true, ...(statusText !== undefined && { status: statusText }) },
    options,
  )
}

/**
 * Sets the line that `systemctl status` shows: `STATUS=`.
 *
 * Any text is accepted and made safe: line breaks become spaces, it is cut to what fits into a message. An
 * empty one clears the line. See sd_notify(3).
 *
 * @example
 * <!-- expect: STATUS=Importing: 1 of 3
 *      expect: STATUS=Importing: 2 of 3
 *      expect: STATUS=Importing: 3 of 3 -->
 * ```js
 * import { status } from '@sdbridge/notify'
 *
 * for (const number of [1, 2, 3]) await status(`Importing: ${number} of 3`)
 * ```
 */
export function status(text: string, options?: NotifyOptions): Promise<boolean> {
  return notify({ status: text }, options)
}

/**
 * Asks for more time: the current start, reload, run or stop timeout, and the watchdog, end no sooner than in `ms` milliseconds from
 * now: `EXTEND_TIMEOUT_USEC=` (systemd 236 ff.).
 *
 * It never shortens one. Once past the original limit, repeat it within each span that it promised. Needs nothing in the unit
 * but a timeout to extend: `TimeoutStartSec=`, `TimeoutStopSec=`, `RuntimeMaxSec=`, `WatchdogSec=`. See sd_notify(3).
 *
 * @example
 * <!-- expect: EXTEND_TIMEOUT_USEC=30000000
 *      expect: EXTEND_TIMEOUT_USEC=30000000
 *      expect: EXTEND_TIMEOUT_USEC=30000000
 *      expect: READY=1 -->
 * ```js
 * import { extendTimeout, ready } from '@sdbridge/notify'
 *
 * for (const step of ['schema', 'indexes', 'caches']) {
 *   await extendTimeout(30_000)
 *   console.log('preparing', step)
 * }
 * await ready()
 * ```
 */
export function extendTimeout(ms: number, options?: NotifyOptions): Promise<boolean> {
  if (typeof ms !== 'number' || !(ms > 0)) {
    return Promise.reject(invalidArgType('ms', 'a number of milliseconds above 0', ms))
  }
  return notify({ extendTimeoutUsec: Math.ceil(ms * 1000) }, options)
}
