import { NotifyError } from './errors.js'
import { parseInteger, UINT64_MAX } from './integer.js'
import { readVariable, unsetVariables } from './service-environment.js'

/** What `notify({ watchdogUsec })` has set, which the environment does not tell. */
const changed = new WeakMap<NodeJS.ProcessEnv, bigint>()
const listeners = new WeakMap<NodeJS.ProcessEnv, Set<() => void>>()

export interface WatchdogIntervalOptions {
  /** Where `WATCHDOG_USEC` and `WATCHDOG_PID` are looked up. Default `process.env`. */
  env?: NodeJS.ProcessEnv
  /** Removes both from `env`, so that children do not take them for theirs. Later calls know them still. */
  unsetEnvironment?: boolean
}

/**
 * How often the service manager wants a sign of life, in milliseconds (sd_watchdog_enabled(3)): `WatchdogSec=`
 * of the unit, or what `notify({ watchdogUsec })` has set since. `undefined` if it does not want any, or not from this process.
 *
 * @throws NotifyError `ERR_NOTIFY_WATCHDOG_ENVIRONMENT` if `$WATCHDOG_USEC` or `$WATCHDOG_PID` is not a number.
 * @example
 * <!-- env: WATCHDOG_USEC=10000000
 *      output: a sign of life is due every 10000 ms -->
 * ```js
 * import { watchdogInterval } from '@sdbridge/notify'
 *
 * const intervalMs = watchdogInterval()
 * console.log(intervalMs === undefined ? 'nobody watches' : `a sign of life is due every ${intervalMs} ms`)
 * ```
 */
export function watchdogInterval(options: WatchdogIntervalOptions = {}): number | undefined {
  const { env = process.env, unsetEnvironment = false } = options
  try {
    const usec = changed.get(env) ?? read(env, 'WATCHDOG_USEC')
    if (usec === undefined || usec === UINT64_MAX) return undefined
    if (usec === 0n) {
      if (changed.has(env)) return undefined
      throw invalid('WATCHDOG_USEC', '0')
    }
    return isWatched(env) ? Number(usec) / 1000 : undefined
  } finally {
    if (unsetEnvironment) unsetVariables(env, 'WATCHDOG_USEC', 'WATCHDOG_PID')
  }
}

/** Notes what the manager was told with `WATCHDOG_USEC=`. */
export function changeWatchdogInterval(
  env: NodeJS.ProcessEnv,
  usec: number | bigint | 'infinity',
): void {
  changed.set(env, usec === 'infinity' ? UINT64_MAX : BigInt(usec))
  for (const listener of listeners.get(env) ?? []) listener()
}

/** Calls back after each change; returns what ends that. */
export function onWatchdogInterval(env: NodeJS.ProcessEnv, listener: () => void): () => void {
  const all = listeners.get(env) ?? new Set()
  listeners.set(env, all.add(listener))
  return () => all.delete(listener)
}

// A manager that is told of an interval watches the sender, where the environment names nobody.
function isWatched(env: NodeJS.ProcessEnv): boolean {
  const pid = read(env, 'WATCHDOG_PID')
  return pid === undefined || pid === BigInt(process.pid)
}

function read(env: NodeJS.ProcessEnv, name: string): bigint | undefined {
  const text = readVariable(env, name)
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
