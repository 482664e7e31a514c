import { readlinkSync } from 'node:fs'
import {
  closeFd,
  type Credentials,
  FdWatcher,
  pidfdId,
  pidfdOpen,
  sendSignal,
} from '@sdbridge/syscalls'
import { cgroupsOf } from '../cgroups/process-cgroups.js'
import { startTicksOf } from '../run/start-ticks.js'

/** Which process speaks for a unit, in words that outlive this process. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it was started, in clock ticks since the boot (proc_pid_stat(5)). */
  readonly startTicks: string
  /** The inode of its pidfd; absent before Linux 6.9. */
  readonly pidfdId?: string
}

export interface UnitProcessOptions {
  readonly unit: string
  readonly invocation: string
  readonly pid: number
  /** Called once, when it has ended. */
  readonly onEnd: () => void
  /** What the process was known by; without it, whatever has the number now. */
  readonly expected?: ProcessIdentity | undefined
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

  /** @throws SystemError `ESRCH`; Error if it is not the process that is expected. */
  constructor({ unit, invocation, pid, onEnd, expected }: UnitProcessOptions) {
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

  /**
   * Its number was the service manager's word, and may have become another process' before it was held.
   *
   * @param cgroup That of the unit.
   * @throws Error if it is in another one.
   */
  checkCgroup(cgroup: string): void {
    const found = cgroupsOf(String(this.identity.pid))
    if (found.some((each) => each === cgroup || each.startsWith(`${cgroup}/`))) return
    throw new Error(
      `the main process ${this.identity.pid} of ${this.unit} is in the cgroup ${found.join(', ') || 'of nothing'}: expected ${cgroup}`,
    )
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

function isSame(one: ProcessIdentity, other: ProcessIdentity): boolean {
  return one.startTicks === other.startTicks && one.pidfdId === other.pidfdId
}
