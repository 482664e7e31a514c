import type { Assignments } from './assignments.js'
import { type Channel, channelTo } from './channel.js'
import { checkTimeout } from './check-timeout.js'
import { NotifyError } from './errors.js'
import { outgoingMessages } from './outgoing-messages.js'
import { withReloadStamp } from './reload-stamp.js'
import { notifySocketOf, unsetVariables } from './service-environment.js'
import type { Outgoing, Transport } from './transport.js'
import { changeWatchdogInterval } from './watchdog-interval.js'

/** What all calls take that send something. */
export interface CommonOptions {
  /** Where `NOTIFY_SOCKET` is looked up. Default `process.env`. */
  env?: NodeJS.ProcessEnv
  /**
   * Removes `NOTIFY_SOCKET` from `env`, whatever comes of the call, so that children do not inherit it and speak for the
   * service. Later calls of this package with the same `env` know it still. In a Worker that shares no environment it is
   * removed for that Worker alone.
   */
  unsetEnvironment?: boolean
  /** How to send; default: the addon, or `systemd-notify` where there is no binary for this machine. */
  transport?: Transport
  /** Gives up waiting for a busy service manager; the promise is then rejected with the signal's reason. */
  signal?: AbortSignal
}

export interface NotifyOptions extends CommonOptions {
  /**
   * Descriptors that go with the message, for `fdStore`, `mainPidFd` and `barrier`. Borrowed: keep them open
   * until the promise settles; they stay yours and are never closed here. More than 253 to store go in several
   * messages, with the same `fdName`.
   */
  fds?: readonly number[]
  /**
   * The process to send as, which needs CAP_SYS_ADMIN: a helper of the service sends as its main process, for example, which
   * `NotifyAccess=main` lets speak. Where the kernel refuses that, the message is sent as this process, as
   * sd_pid_notify(3) does it, and a warning of the process (`NOTIFY_SENDER_REFUSED`) says so.
   */
  pid?: number
}

export interface NotifySyncOptions extends Omit<NotifyOptions, 'signal'> {
  /** How long to wait for a busy service manager. Default 1000; 0 tries once. */
  timeoutMs?: number
}

/**
 * Sends assignments to the service manager (sd_notify(3)), in the order of the object's properties, as one
 * message. Messages of one thread arrive in the order of the calls.
 *
 * Needs `NotifyAccess=` in the unit, which `Type=notify`, `Type=notify-reload` and `WatchdogSec=` set to
 * `main` by themselves.
 *
 * Never blocks: while the manager is busy, up to 512 messages wait, and up to 1024 with those that tell of a state or carry
 * descriptors. A message that holds nothing but a status or a ping gives way to the next one of its kind. Messages that wait keep
 * the process alive; `process.exit()` gives them up, and {@link notifySync} does not.
 *
 * @returns `true` when the kernel has taken the message (which says nothing of what the manager makes of it), or
 *   when a later status or ping has taken the place of this one while it waited;
 *   `false` if there is no service manager to tell, that is, if `$NOTIFY_SOCKET` is not set.
 * @throws NotifyError with a `code`: `ERR_NOTIFY_VALUE_INVALID` or `ERR_NOTIFY_MESSAGE_TOO_LONG` before
 *   anything is sent; `ERR_NOTIFY_INVALID_ADDRESS`, `ERR_NOTIFY_SEND_FAILED`, `ERR_NOTIFY_UNSUPPORTED` or
 *   `ERR_NOTIFY_QUEUE_FULL` if there is a manager and it cannot be reached. TypeError for a wrong argument.
 * @example
 * <!-- expect: READY=1, STATUS=Serving on port 8080 -->
 * ```js
 * import { notify } from '@sdbridge/notify'
 *
 * await notify({ ready: true, status: 'Serving on port 8080' })
 * ```
 */
export async function notify(
  assignments: Assignments,
  options: NotifyOptions = {},
): Promise<boolean> {
  const prepared = prepare(assignments, options)
  if (prepared === undefined) return false
  // No promise where nothing has to wait, which is nearly always.
  const waiting = sendAll(prepared, options.signal)
  if (waiting !== undefined) await waiting
  afterSending(assignments, options)
  return true
}

/** Does what {@link notify} does for somebody who does not wait for it: a message that waits lets the process end. */
export async function notifyInBackground(
  assignments: Assignments,
  options: NotifyOptions,
): Promise<void> {
  const prepared = prepare(assignments, options)
  if (prepared === undefined) return
  const messages = prepared.messages.map((message) => ({ ...message, background: true as const }))
  await sendAll({ ...prepared, messages }, options.signal)
}

/**
 * Sends several notifications in this order, and nothing between them. None is sent if there is a mistake in one of them, or no
 * place for all.
 *
 * @returns What came of each; `undefined` if there is no service manager.
 */
export async function notifyEach(
  notifications: readonly Notification[],
  options: Omit<NotifyOptions, 'fds'>,
): Promise<PromiseSettledResult<unknown>[] | undefined> {
  const prepared: Prepared[] = []
  for (const { assignments, fds = NONE } of notifications) {
    const each = prepare(assignments, { ...options, fds })
    if (each !== undefined) prepared.push(each)
  }
  const [first] = prepared
  if (first === undefined) return undefined
  first.channel.queue.checkRoomFor(prepared.reduce((sum, { messages }) => sum + messages.length, 0))
  return await Promise.allSettled(prepared.map(async (each) => await sendAll(each, options.signal)))
}

/**
 * Does what {@link notify} does, and returns when it is done: for the way out of a process, where nothing asynchronous happens
 * any more (`process.on('exit')`). What waits already is sent first.
 *
 * Blocks the event loop while the service manager is busy, for `timeoutMs` at the most.
 *
 * @throws What {@link notify} is rejected with, and NotifyError `ERR_NOTIFY_TIMEOUT`.
 * @example
 * <!-- expect: STOPPING=1, EXIT_STATUS=0 -->
 * ```js
 * import { notifySync } from '@sdbridge/notify'
 *
 * process.on('exit', (code) => notifySync({ stopping: true, exitStatus: code }))
 * ```
 */
export function notifySync(assignments: Assignments, options: NotifySyncOptions = {}): boolean {
  const { timeoutMs = 1000 } = options
  const prepared = prepare(assignments, options)
  checkTimeout(timeoutMs)
  if (prepared === undefined) return false
  const deadline = performance.now() + timeoutMs
  for (const message of prepared.messages) {
    prepared.channel.queue.sendSync(message, Math.max(deadline - performance.now(), 0))
  }
  afterSending(assignments, options)
  return true
}

interface Notification {
  readonly assignments: Assignments
  readonly fds?: readonly number[]
}

interface Prepared {
  readonly channel: Channel
  readonly messages: readonly Outgoing[]
}

// A shortcut for what a service sends most, and may send often. One buffer for all: nobody else sees it.
const PING: readonly Outgoing[] = [{ data: Buffer.from('WATCHDOG=1'), fds: [] }]
const NONE: readonly number[] = []

function prepare(assignments: Assignments, options: NotifyOptions): Prepared | undefined {
  const { env = process.env, fds = NONE, pid, transport } = options
  try {
    const isPlainPing = fds === NONE && pid === undefined && isPing(assignments)
    const address = notifySocketOf(env)
    // The clock is the addon's, which is not loaded where there is nobody to tell.
    const stamped = address === undefined ? assignments : withReloadStamp(assignments)
    const messages = isPlainPing ? PING : outgoingMessages(stamped, fds, pid)
    if (address === undefined) return undefined
    const channel = channelTo(address, transport)
    if (fds.length > 0) checkCarries(channel, address)
    return { channel, messages }
  } finally {
    if (options.unsetEnvironment === true) unsetVariables(env, 'NOTIFY_SOCKET')
  }
}

function isPing(assignments: Assignments): boolean {
  return assignments?.watchdog === true && Object.keys(assignments).length === 1
}

function checkCarries({ outlet }: Channel, address: string): void {
  if (outlet.carriesFds) return
  throw new NotifyError(
    'ERR_NOTIFY_UNSUPPORTED',
    `descriptors cannot be sent to NOTIFY_SOCKET '${address}' this way: they need a unix socket and the addon`,
    { address },
  )
}

function sendAll(
  { channel: { queue }, messages }: Prepared,
  signal: AbortSignal | undefined,
): Promise<unknown> | undefined {
  const [only] = messages
  if (messages.length === 1) return queue.send(only!, signal)
  // All or none.
  queue.checkRoomFor(messages.length)
  return allOf(messages.map(async (message) => await queue.send(message, signal)))
}

// Not settled before the last is, as long as which the descriptors are borrowed.
async function allOf(sent: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(sent)).find(({ status }) => status === 'rejected')
  if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
}

function afterSending({ watchdogUsec }: Assignments, { env = process.env }: NotifyOptions): void {
  if (watchdogUsec !== undefined) changeWatchdogInterval(env, watchdogUsec)
}
