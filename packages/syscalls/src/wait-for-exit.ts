import { FdWatcher } from './fd-watcher.js'
import { native } from './native.js'
import { signalName } from './signal-number.js'
import { systemError } from './system-error.js'

/** How a process ended, in the form of child_process's `'exit'`: one of the two is null. */
export interface ExitStatus {
  pid: number
  code: number | null
  signal: string | null
}

export interface WaitForExitOptions {
  /** Gives up waiting; the promise is then rejected with the signal's reason. */
  signal?: AbortSignal
  /**
   * Takes the status, so that the process stops being a zombie. Only for a child that nobody else waits for, such as one
   * that we adopted as its subreaper: from one that node:child_process started, it would take the `'exit'` event away.
   */
  reap?: boolean
}

const P_PID = 1
const P_PIDFD = 3
const WNOHANG = 1
const WEXITED = 4
const WNOWAIT = 0x100_0000
const CLD_EXITED = 1
const ECHILD = -10

/**
 * Waits until a pidfd's process has ended.
 *
 * @param pidfd Borrowed: keep it open until the promise settles. It has no other watcher meanwhile.
 * @returns How it ended; `undefined` if that is not ours to know: it is not our child, or was waited for already.
 */
export async function waitForExit(
  pidfd: number,
  options: WaitForExitOptions = {},
): Promise<ExitStatus | undefined> {
  const { signal } = options
  signal?.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const watcher = new FdWatcher(pidfd, () => settle(resolve))
    const onAbort = (): void => settle(() => reject(signal!.reason as Error))
    const settle = (how: () => void): void => {
      watcher.close()
      signal?.removeEventListener('abort', onAbort)
      how()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      watcher.arm('readable')
    } catch (error) {
      settle(() => reject(error as Error))
    }
  })
  return statusOf(P_PIDFD, pidfd, options.reap === true)
}

/** Takes the status of a zombie that is our child. */
export function reap(pid: number): ExitStatus | undefined {
  return statusOf(P_PID, pid, true)
}

function statusOf(idType: number, id: number, take: boolean): ExitStatus | undefined {
  const facts = new Int32Array(3)
  const result = native().waitid(idType, id, WEXITED | WNOHANG | (take ? 0 : WNOWAIT), facts)
  if (result === ECHILD) return undefined
  if (result < 0) throw systemError(result, 'waitid')
  const [pid, code, status] = facts as unknown as [number, number, number]
  if (pid === 0) return undefined
  const exited = code === CLD_EXITED
  return { pid, code: exited ? status : null, signal: exited ? null : signalName(status) }
}
