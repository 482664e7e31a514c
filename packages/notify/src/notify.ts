import process from 'node:process'
import type { Assignments } from './assignments.js'
import { channelTo } from './channel.js'
import { encodeMessage } from './encode-message.js'

export interface NotifyOptions {
  /** Where `NOTIFY_SOCKET` is looked up. Default `process.env`. */
  env?: NodeJS.ProcessEnv
  /**
   * Descriptors that go with the message, for `fdStore`, `mainPidFd` and `barrier`. Borrowed: keep them open
   * until the promise settles; they stay yours and are never closed here.
   */
  fds?: readonly number[]
  /** Gives up waiting for a busy service manager; the promise is then rejected with the signal's reason. */
  signal?: AbortSignal
}

/**
 * Sends assignments to the service manager (sd_notify(3)), in the order of the object's properties, as one
 * message. Messages of one thread arrive in the order of the calls.
 *
 * Needs `NotifyAccess=` in the unit, which `Type=notify`, `Type=notify-reload` and `WatchdogSec=` set to
 * `main` by themselves.
 *
 * @returns `true` when the kernel has taken the message (which says nothing of what the manager makes of it), or
 *   when a later status or ping has taken the place of this one while it waited;
 *   `false` if there is no service manager to tell, that is, if `$NOTIFY_SOCKET` is not set.
 * @throws NotifyError with a `code`: `ERR_NOTIFY_VALUE_INVALID` or `ERR_NOTIFY_MESSAGE_TOO_LONG` before
 *   anything is sent; `ERR_NOTIFY_INVALID_ADDRESS`, `ERR_NOTIFY_SEND_FAILED` or `ERR_NOTIFY_QUEUE_FULL` if
 *   there is a manager and it cannot be reached. TypeError for a wrong argument.
 * @example
 * ```js
 * await notify({ ready: true, status: 'Serving on port 8080' })
 * ```
 */
export async function notify(
  assignments: Assignments,
  options: NotifyOptions = {},
): Promise<boolean> {
  const { env = process.env, fds = [], signal } = options
  const data =
    fds.length === 0 && isPing(assignments)
      ? PING
      : encodeMessage(withTimestamp(assignments), fds.length)
  const address = env['NOTIFY_SOCKET']
  if (address === undefined) return false
  // No promise where nothing has to wait, which is nearly always.
  const waiting = channelTo(address).send({ data, fds }, signal)
  if (waiting !== undefined) await waiting
  return true
}

// A shortcut for what a service sends most, and may send often. One buffer for all: nobody else sees it.
const PING = Buffer.from('WATCHDOG=1')

function isPing(assignments: Assignments): boolean {
  return assignments?.watchdog === true && Object.keys(assignments).length === 1
}

// A reload of a Type=notify-reload unit counts only with the time at which it began: systemd 253 ff. waits
// for a stamp that is not older than its own request. hrtime is CLOCK_MONOTONIC, as the manager's is.
function withTimestamp(assignments: Assignments): Assignments {
  if (assignments.reloading !== true || assignments.monotonicUsec !== undefined) return assignments
  return { ...assignments, monotonicUsec: process.hrtime.bigint() / 1000n }
}
