/**
 * What a notification says, as one object: the property order is the order on the wire.
 *
 * A property that is undefined is left out. A flag is `true` or left out, because `READY=0` and the
 * like have no meaning. "Since" is the first systemd that acts on the assignment; an older one
 * ignores it without a word. The service manager takes notifications only as `NotifyAccess=` of the
 * unit permits (`Type=notify` and `WatchdogSec=` imply `NotifyAccess=main`).
 *
 * @see {@link https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html sd_notify(3)}
 */
export interface Assignments {
  /**
   * `READY=1`: start-up is finished, or a reload is. With `Type=notify` or `Type=notify-reload` the
   * unit counts as started from here on; after `reloading` it must follow, failed reload or not.
   */
  ready?: true | undefined
  /**
   * `RELOADING=1`: a reload began. Duty: send `ready` when it ended, or it times out.
   * `Type=notify-reload` also needs `monotonicUsec` beside it. Since 217.
   */
  reloading?: true | undefined
  /**
   * `MONOTONIC_USEC=`: CLOCK_MONOTONIC in µs when the reload began, taken after the signal arrived.
   * It is only read together with `reloading`. Since 253.
   */
  monotonicUsec?: number | bigint | undefined
  /**
   * `STOPPING=1`: shutting down began, and cannot be taken back. `TimeoutStopSec=` runs from here
   * on; `ready` no longer counts (since 259). Since 217.
   */
  stopping?: true | undefined
  /**
   * `STATUS=`: one line of free text for `systemctl status`; empty clears it. Line breaks become
   * spaces, a backslash becomes U+29F5, and what does not fit into the message is cut off.
   */
  status?: string | undefined
  /**
   * `NOTIFYACCESS=`: whose notifications count from the next one on, instead of the unit's
   * `NotifyAccess=`; until the service ends. Since 254.
   */
  notifyAccess?: 'none' | 'main' | 'exec' | 'all' | undefined
  /**
   * `ERRNO=`: why the service failed: an errno (its sign does not matter), a name such as
   * `'ENOENT'`, or an Error that has `errno` or `code`. 0 clears it. Since 216.
   */
  errno?: number | string | Error | undefined
  /**
   * `BUSERROR=`: a D-Bus error name, of printable ASCII without `" ' \ * ? [`; empty clears it.
   * Since 257.
   */
  busError?: string | undefined
  /** `VARLINKERROR=`: a Varlink error name; the grammar of `busError`. Since 257. */
  varlinkError?: string | undefined
  /**
   * `EXIT_STATUS=`: the sender's exit status, 0..255. The service manager ignores it; the managers
   * of virtual machines read it. Since 254.
   */
  exitStatus?: number | undefined
  /**
   * `MAINPID=`: the main process from now on, as numbered in the service manager's pid namespace.
   * It must belong to the unit, unless the sender is root. It counts for this message already.
   */
  mainPid?: number | undefined
  /** `MAINPIDFDID=`: inode number of a pidfd of `mainPid`, against its reuse. Since 257. */
  mainPidFdId?: bigint | number | undefined
  /**
   * `MAINPIDFD=1`: the one descriptor sent along is a pidfd of the new main process. It has
   * precedence over `mainPid`, which may go with it for older managers. Since 257.
   */
  mainPidFd?: true | undefined
  /**
   * `WATCHDOG=1` (true): the service is alive; arms the timer even before `ready`. Duty: repeat it
   * within `WatchdogSec=`, at best after half of it. `'trigger'` has the manager act as if the time
   * had run out, with or without `WatchdogSec=` (since 243).
   */
  watchdog?: true | 'trigger' | undefined
  /**
   * `WATCHDOG_USEC=`: another watchdog interval in µs, from now on. 0 and `'infinity'` turn the
   * watchdog off. `$WATCHDOG_USEC` keeps the old value. Since 231.
   */
  watchdogUsec?: number | bigint | 'infinity' | undefined
  /**
   * `EXTEND_TIMEOUT_USEC=`: the current start, run, reload or stop timeout, and the watchdog, end
   * no sooner than in so many µs, at least 1. Duty: repeat it within that span. Since 236.
   */
  extendTimeoutUsec?: number | bigint | undefined
  /**
   * `FDSTORE=1`: keep the descriptors sent along, and give them back at the next start. Needs
   * `FileDescriptorStoreMax=`, without which they are closed and nobody is told. Since 219.
   */
  fdStore?: true | undefined
  /** `FDSTOREREMOVE=1`: drop all stored descriptors named `fdName`. Since 236. */
  fdStoreRemove?: true | undefined
  /**
   * `FDNAME=`: name for `fdStore` and `fdStoreRemove`; at most 255 printable ASCII characters
   * without `:` and backslash. Without it a descriptor is named `stored`. Since 227.
   */
  fdName?: string | undefined
  /**
   * `FDPOLL=0`: keep the descriptors of this `fdStore` even after a hang-up or an error. Duty:
   * remove them. Since 246.
   */
  fdPoll?: false | undefined
  /** `RESTART_RESET=1`: the unit's restart counter begins anew. Since 258. */
  restartReset?: true | undefined
  /**
   * `BARRIER=1`: the one descriptor sent along is closed when all that this process sent before has
   * been read. It must be alone in its message. Since 246.
   */
  barrier?: true | undefined
  /**
   * Assignments of your own, which the service manager ignores: `X_<NAMESPACE>_...`, of letters,
   * digits and `_`; values without line breaks and NUL.
   */
  extra?: Readonly<Record<`X_${string}`, string>> | undefined
}

/**
 * The assignments of a received message, one form for each value; see {@link Assignments}.
 *
 * Only what the service manager would act upon is here. It can be encoded again, though text that
 * its sender escaped may be refused or shown differently, and descriptors must be given anew.
 */
export interface ParsedAssignments {
  ready?: true
  reloading?: true
  monotonicUsec?: bigint
  stopping?: true
  /** May hold control characters and, if the sender escaped them, line breaks. */
  status?: string
  notifyAccess?: 'none' | 'main' | 'exec' | 'all'
  errno?: number
  busError?: string
  varlinkError?: string
  exitStatus?: number
  mainPid?: number
  mainPidFdId?: bigint
  mainPidFd?: true
  watchdog?: true | 'trigger'
  /** 0 and 2^64-1 turn the watchdog off. */
  watchdogUsec?: bigint
  extendTimeoutUsec?: bigint
  fdStore?: true
  fdStoreRemove?: true
  /** Without it, a stored descriptor is named `stored`. */
  fdName?: string
  fdPoll?: false
  restartReset?: true
  barrier?: true
  /** Has no prototype. */
  extra?: Record<`X_${string}`, string>
}
