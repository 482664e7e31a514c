import { readdirSync, readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { native } from './native.js'
import { check } from './system-error.js'
import { throwLater } from './throw-later.js'
import { type ExitStatus, reap } from './wait-for-exit.js'

/**
 * How long a zombie is left to somebody else. libuv waits for its own children as soon as the event loop has heard of
 * SIGCHLD; what is still there after this and one whole turn of the loop is nobody's.
 */
const GRACE_MS = 1000

/** Makes this process the parent of all orphans among its descendants, instead of init (PR_SET_CHILD_SUBREAPER(2const)). */
export function setSubreaper(on: boolean): void {
  check(native().setSubreaper(on ? 1 : 0), 'prctl')
}

/** Whether orphaned descendants become our children. A child process does not inherit this. */
export function isSubreaper(): boolean {
  return check(native().isSubreaper(), 'prctl') === 1
}

/**
 * Waits for the orphans that a subreaper, or PID 1 of a container, has adopted: they would stay zombies for ever, because
 * Node only waits for the children that it started itself. Those are left alone.
 *
 * Does not keep the process alive. Children that a Worker starts could be mistaken for orphans if that Worker is busy for
 * more than a second.
 */
export class OrphanReaper {
  readonly #onReaped: (orphan: ExitStatus) => void
  readonly #onChild = (): void => this.#look()
  /** Since when zombies have been seen, in ms. */
  #seen = new Map<string, number>()
  #waiting = false
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #open = true

  /**
   * @param onReaped Told about each orphan that was waited for.
   * @throws Error in a Worker, which hears of no signals; and where the kernel does not list children
   *   (CONFIG_PROC_CHILDREN), with the code `ENOSYS`.
   */
  constructor(onReaped: (orphan: ExitStatus) => void = () => {}) {
    if (!isMainThread)
      throw new Error('orphans are reaped by the main thread: a Worker gets no SIGCHLD')
    zombies()
    this.#onReaped = onReaped
    process.on('SIGCHLD', this.#onChild)
    this.#look()
  }

  /** Ends the reaping. */
  close(): void {
    this.#open = false
    process.off('SIGCHLD', this.#onChild)
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }

  /** Notes who is a zombie now, and comes back when the first of them has been one for long enough. */
  #look(): void {
    const now = performance.now()
    const known = this.#seen
    const all = zombiesIfPossible()
    if (all !== undefined) this.#seen = new Map(all.map(({ key }) => [key, known.get(key) ?? now]))
    // Where they cannot be listed, it looks again a while later.
    const since = all === undefined ? now : Math.min(...this.#seen.values())
    if (!this.#waiting && Number.isFinite(since)) this.#comeBack(since + GRACE_MS - now)
  }

  #comeBack(delayMs: number): void {
    this.#waiting = true
    this.#timer = setTimeout(
      () => {
        // Timers come before signals in a turn of the loop; after this one libuv has heard of what we have seen. The
        // immediate is not unref'd: a loop that has nothing else to do would sleep before it.
        this.#immediate = setImmediate(() => {
          this.#waiting = false
          this.#reap()
        })
      },
      Math.max(1, delayMs),
    ).unref()
  }

  #reap(): void {
    const before = performance.now() - GRACE_MS
    for (const { pid, key } of zombiesIfPossible() ?? []) {
      if ((this.#seen.get(key) ?? Infinity) > before) continue
      // Not to be had yet, such as one that a debugger holds: asked for again after another while.
      this.#seen.delete(key)
      const status = reap(pid)
      if (status !== undefined) this.#tell(status)
      if (!this.#open) return
    }
    this.#look()
  }

  // A callback that throws must not keep us from the others.
  #tell(orphan: ExitStatus): void {
    try {
      this.#onReaped(orphan)
    } catch (error) {
      throwLater(error)
    }
  }
}

interface Zombie {
  pid: number
  /** Tells it from another process that has got its number since. */
  key: string
}

/** Without a free descriptor or memory, nothing can be listed; for PID 1 of a container that must not be the end. */
function zombiesIfPossible(): Zombie[] | undefined {
  try {
    return zombies()
  } catch (error) {
    if (EXHAUSTED.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])

function zombies(): Zombie[] {
  return readdirSync('/proc/self/task').flatMap((thread) =>
    childrenOf(thread)
      .split(' ')
      .flatMap((pid) => zombieOf(pid) ?? []),
  )
}

function childrenOf(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/children`, 'latin1')
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    // A thread that has ended meanwhile.
    if (isMissing && thread !== `${process.pid}`) return ''
    if (!isMissing) throw error
    const message =
      'the kernel does not list children (CONFIG_PROC_CHILDREN), so orphans cannot be found'
    throw Object.assign(new Error(message, { cause: error }), { code: 'ENOSYS' })
  }
}

// The name, the second field, may hold spaces and parentheses; the state follows the last of them. A leader that has
// ended before its process' other threads looks like a zombie, and is none yet.
function zombieOf(pid: string): Zombie | undefined {
  if (pid === '') return undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, threads, startTime] = [fields[0], fields[17], fields[19]]
    if (state !== 'Z' || threads !== '1') return undefined
    return { pid: Number(pid), key: `${pid} ${startTime}` }
  } catch {
    return undefined
  }
}
