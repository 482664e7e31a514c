import type { ParsedAssignments } from '@sdbridge/notify/relay'
import type { Drop } from './drop.js'
import type { SenderPolicy } from './sender-policy.js'

export interface NotifyProxyOptions {
  /**
   * The container socket to make, with mode 0777, in a directory that is mounted into the container. A stale file there is removed.
   */
  path: string
  /**
   * The service manager's address, as in `$NOTIFY_SOCKET`: a path of any length, or `@name`. `undefined`: there is none; messages are
   * counted and dropped, and barriers acknowledged, as there is nothing to wait for.
   */
  upstream: string | undefined
  /**
   * Who may speak. `init`: the container's first process alone. A list: these user ids, as this host counts them. Barriers are forwarded for everybody, as systemd acknowledges them. Default `all`: everybody whom the mounts
   * let reach the socket.
   */
  senders?: SenderPolicy
  /**
   * Our number for the container's first process, once that is known. Where `senders` is `init`, or `mainPid` is on, messages wait until
   * then.
   */
  init?: () => number | undefined
  /**
   * Forward `MAINPID=`, `MAINPIDFDID=` and `MAINPIDFD=1`, in our numbers, if they name a process of the container's. Needs
   * `NotifyAccess=all` and a bridge that runs as root. Default false: these lines are left out.
   */
  mainPid?: boolean
  /** Forward `NOTIFYACCESS=`, which may shut the bridge itself out. Default false. */
  notifyAccess?: boolean
  /** The container's part of the unit's descriptor store (`FileDescriptorStoreMax=`). Default: it has none. */
  store?: StoreOptions | undefined
  /** Hears what went to the service manager, in the host's terms. What it throws becomes an `'uncaughtException'`. */
  onForwarded?: (assignments: ParsedAssignments) => void
  /**
   * Whether `onForwarded` hears all of it. `false`, which spares work: not of `READY=1`, `WATCHDOG=1`, `STOPPING=1` and `STATUS=` when it
   * has heard of each before; yet it may. Default true.
   */
  repeats?: boolean
  /**
   * Hears what did not, and why. Of one message it hears of 16 fields at the most; the counters count them all. What it throws becomes
   * an `'uncaughtException'`.
   */
  onDropped?: (drop: Drop) => void
}

export interface StoreOptions {
  /**
   * Stands before the names of the container's descriptors in the unit's store, so that no container touches another's: printable
   * ASCII without `:` and backslash, at most 127 bytes.
   */
  prefix: string
  /**
   * How many descriptors the container may have there. What the service manager drops by itself, because the other end hung up, goes
   * on counting until its name is removed; so for a unit's only container let `FileDescriptorStoreMax=` be the limit: `Infinity`.
   */
  limit: number
  /** What is there already, a name with its prefix for each descriptor (from `LISTEN_FDNAMES`). */
  names?: readonly string[]
}

/** @throws TypeError, RangeError with a `code`, as Node's own. */
export function checkOptions(options: NotifyProxyOptions): void {
  const { path, repeats, senders = 'all', store, upstream } = options
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw invalid('path', 'an absolute path', path)
  }
  if (upstream !== undefined && typeof upstream !== 'string') {
    throw invalid('upstream', 'a string as in $NOTIFY_SOCKET, or undefined', upstream)
  }
  if (senders !== 'all' && senders !== 'init' && !isUidList(senders)) {
    throw invalid('senders', "'all', 'init' or an array of user ids", senders)
  }
  for (const name of ['init', 'onForwarded', 'onDropped'] as const) {
    const value: unknown = options[name]
    if (value !== undefined && typeof value !== 'function') throw invalid(name, 'a function', value)
  }
  if (repeats !== undefined && typeof repeats !== 'boolean')
    throw invalid('repeats', 'a boolean', repeats)
  if (options.init === undefined && (senders === 'init' || options.mainPid)) {
    throw invalid('init', "a function where senders is 'init', or mainPid is on", undefined)
  }
  if (store === undefined) return
  if (typeof store.prefix !== 'string' || !PREFIX.test(store.prefix)) {
    throw invalid(
      'store.prefix',
      'at most 127 printable ASCII characters without : and backslash',
      store.prefix,
    )
  }
  if (store.names !== undefined && !store.names.every((name) => typeof name === 'string')) {
    throw invalid('store.names', 'an array of names', store.names)
  }
  if (typeof store.limit !== 'number' || !(store.limit >= 0)) {
    throw invalid('store.limit', 'a number from 0 on', store.limit)
  }
}

const PREFIX = /^[ -9;-[\]-~]{0,127}$/
const UID_MAX = 2 ** 32 - 1

function isUidList(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((uid) => Number.isInteger(uid) && uid >= 0 && uid <= UID_MAX)
  )
}

function invalid(name: string, expected: string, received: unknown): TypeError {
  const message = `"${name}" must be ${expected}, received ${String(received)}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}
