import { closeFd, FdWatcher, pipe } from '@sdbridge/syscalls'
import { channelTo } from './channel.js'
import { checkTimeout } from './check-timeout.js'
import { NotifyError } from './errors.js'
import { LONGEST_TIMER_MS } from './longest-timer.js'
import { type CommonOptions, notify } from './notify.js'
import { onAbort } from './on-abort.js'
import { notifySocketOf, unsetVariables } from './service-environment.js'

export interface BarrierOptions extends CommonOptions {
  /** How long to wait, in milliseconds, for room and for the answer. Default 5000, as systemd-notify(1); 0 looks once. */
  timeoutMs?: number
}

/**
 * What came of a {@link barrier}:
 * - `passed`: the service manager has read everything that was sent before
 * - `no-manager`: `$NOTIFY_SOCKET` is not set
 * - `unsupported`: the receiver does not take descriptors (`EPERM`, as from `systemd-notify --fork`), or there is no way to
 *   send them (vsock, another transport). Nothing is wrong with the service, and nothing is known.
 */
export type BarrierOutcome = 'passed' | 'no-manager' | 'unsupported'

/**
 * Waits until the service manager has read everything that this thread has sent so far: `BARRIER=1` with a pipe that the
 * manager closes (sd_notify_barrier(3); systemd 246 ff., before that `ERR_NOTIFY_TIMEOUT`).
 *
 * For a process that ends right after its last message: the manager finds the unit of a sender that is gone only if it was
 * the main process. No unit setting is needed: a barrier is answered even under `NotifyAccess=none`.
 *
 * @throws NotifyError `ERR_NOTIFY_TIMEOUT`; otherwise what {@link notify} throws, or the signal's reason.
 * @example
 * <!-- expect: STATUS=Migrated the database -->
 * ```js
 * import { barrier, status } from '@sdbridge/notify'
 *
 * await status('Migrated the database')
 * await barrier({ timeoutMs: 2000 })
 * ```
 */
export async function barrier(options: BarrierOptions = {}): Promise<BarrierOutcome> {
  const { timeoutMs = 5000, signal, unsetEnvironment = false, ...rest } = options
  if (unsetEnvironment) unsetVariables(rest.env ?? process.env, 'NOTIFY_SOCKET')
  checkTimeout(timeoutMs)
  signal?.throwIfAborted()
  const limit = new AbortController()
  // Longer than a timer can wait is for ever.
  const timer =
    timeoutMs <= LONGEST_TIMER_MS
      ? setTimeout(() => limit.abort(timedOut(timeoutMs)), timeoutMs)
      : undefined
  const forget = signal && onAbort(signal, () => limit.abort(signal.reason))
  try {
    return await ask(rest, limit.signal)
  } finally {
    clearTimeout(timer)
    forget?.()
  }
}

async function ask(options: CommonOptions, signal: AbortSignal): Promise<BarrierOutcome> {
  const { env = process.env, transport } = options
  const address = notifySocketOf(env)
  if (address === undefined) return 'no-manager'
  if (!channelTo(address, transport).outlet.carriesFds) return 'unsupported'

  const { readFd, writeFd } = pipe()
  try {
    await sendAndClose(writeFd, options, signal)
    await hangup(readFd, signal)
    return 'passed'
  } catch (error) {
    if (isRefusal(error)) return 'unsupported'
    throw error
  } finally {
    closeFd(readFd)
  }
}

// The manager's copy must be the last one.
async function sendAndClose(
  fd: number,
  options: CommonOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    await notify({ barrier: true }, { ...options, signal, fds: [fd] })
  } finally {
    closeFd(fd)
  }
}

async function hangup(fd: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const watcher = new FdWatcher(fd, () => {
      watcher.close()
      resolve()
    })
    const giveUp = (): void => {
      watcher.close()
      reject(signal.reason)
    }
    try {
      watcher.arm('hangup')
    } catch (error) {
      watcher.close()
      throw error
    }
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
  })
}

function isRefusal(error: unknown): boolean {
  return (error as { cause?: { code?: unknown } } | null)?.cause?.code === 'EPERM'
}

function timedOut(timeoutMs: number): NotifyError {
  return new NotifyError(
    'ERR_NOTIFY_TIMEOUT',
    `the service manager has not answered a barrier within ${timeoutMs} ms: it is busy or stopped, or older than systemd 246`,
  )
}
