import { readFileSync, readlinkSync } from 'node:fs'
import {
  closeFd,
  type Credentials,
  FdWatcher,
  pidfdId,
  pidfdOpen,
  sendSignal,
} from '@sdbridge/syscalls'

/** Which process speaks for a unit, in words that outlive this process. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it was started, in clock ticks since the boot (proc_pid_stat(5)). */
  readonly startTicks: string
  /** The inode of its pidfd; absent before Linux 6.9. */
  readonly pidfdId?: string
}

const LOOK_AT_INVOCATION_MS = 1000

/**
 * The main process of a unit, in whose name the unit's containers are forwarded. It is held by a pidfd: its number cannot come to mean another one
 * unnoticed.
 */
export class UnitProcess {
  readonly unit: string
  /** Of the unit's run that this process belongs to. */
  readonly invocation: string
  readonly identity: ProcessIdentity
  /** What messages claim to be from. */
  readonly credentials: Credentials
  readonly #pidfd: number
  readonly #watcher: FdWatcher
  #hasEnded = false
  #isClosed = false
  #nextLookMs = 0

  /**
   * @param expected What the process was known by; without it, whatever has the number now.
   * @param onEnd Called once, when it has ended.
   * @throws SystemError `ESRCH`; Error if it is not the same process.
   */
  constructor(
    unit: string,
    invocation: string,
    pid: number,
    onEnd: () => void,
    expected?: ProcessIdentity,
  ) {
    this.unit = unit
    this.invocation = invocation
    this.#pidfd = pidfdOpen(pid)
    try {
      this.identity = identityOf(pid, this.#pidfd)
      if (expected !== undefined && !isSame(this.identity, expected))
        throw new Error(`process ${pid} is not the one that it was`)
      this.credentials = { pid, uid: process.getuid!(), gid: process.getgid!() }
      this.#watcher = new FdWatcher(this.#pidfd, () => {
        this.#hasEnded = true
        onEnd()
      }).unref()
      this.#watcher.arm('readable')
    } catch (error) {
      closeFd(this.#pidfd)
      throw error
    }
  }

  /**
   * Whether messages can still be sent in its name: until it has been waited for, as the service manager reads last words first. And whether the
   * unit's run is still the one that it belongs to, which is looked at once a second.
   */
  isAlive(): boolean {
    if (this.#isClosed) return false
    try {
      sendSignal(this.#pidfd, 0)
    } catch (error) {
      // Not allowed to: it is there.
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    }
    const nowMs = performance.now()
    if (nowMs < this.#nextLookMs) return true
    const invocation = invocationOf(this.unit)
    if (invocation !== undefined && invocation !== this.invocation) return false
    this.#nextLookMs = nowMs + LOOK_AT_INVOCATION_MS
    return true
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#watcher.close()
    closeFd(this.#pidfd)
  }
}

/** The InvocationID of a unit's present run, as the system's service manager leaves it for everybody; `undefined` if it does not. */
export function invocationOf(unit: string): string | undefined {
  try {
    return readlinkSync(`/run/systemd/units/invocation:${unit}`)
  } catch {
    return undefined
  }
}

function identityOf(pid: number, pidfd: number): ProcessIdentity {
  const id = pidfdId(pidfd)
  return { pid, startTicks: startTicksOf(pid), ...(id !== undefined && { pidfdId: String(id) }) }
}

// The name of a program, in parentheses, may have blanks and parentheses of its own.
function startTicksOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
}

function isSame(one: ProcessIdentity, other: ProcessIdentity): boolean {
  return one.startTicks === other.startTicks && one.pidfdId === other.pidfdId
}
