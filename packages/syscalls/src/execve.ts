import { isNonBlocking, setNonBlocking } from './fd.js'
import { fileLimits, getFileLimit } from './file-limit.js'
import { native } from './native.js'
import { START_STATE_VARIABLE, type StartState, signalSet, startState } from './start-state.js'
import { check, invalid } from './system-error.js'

export interface ExecveOptions {
  /** The new program's environment. Default `process.env`. */
  env?: NodeJS.ProcessEnv
  /** What the new program sees as its own name (`argv[0]`). Default `file`. */
  argv0?: string
  /**
   * Its descriptors: the number there, and the descriptor here. Standard input, output and error stay what they are unless
   * named, and are made to block; all else keeps its flags. Others end, whatever their close-on-exec flag says.
   */
  fds?: Readonly<Record<number, number>>
  /** What it inherits of what Node changed in itself. Default {@link startState}. */
  state?: Pick<StartState, 'softFileLimit' | 'ignoredSignals' | 'blockedSignals'>
}

/**
 * Becomes another program, in the same process: pid, parent, working directory, cgroup and parent-death signal stay
 * (execve(2)). What Node changed is undone first: the soft limit of open descriptors, ignored signals, the signal mask,
 * and standard streams that do not block.
 *
 * Nothing of this program goes on: no `'exit'` event, no pending write; a terminal in raw mode stays so. Needs Linux 5.11
 * to close descriptors that were made without close-on-exec; an older kernel hands those on.
 *
 * A signal that comes during the call does what it does by default, as it would a moment later. One that came just before,
 * and of which Node has not told its listeners yet, is lost: a launcher does not listen for signals. Record locks of
 * fcntl(2) are lost as well; those of flock(2) stay.
 *
 * The kernel ends Node's threads on the way. To a child with a parent-death signal that is its parent's death; and a
 * Worker, which has no such signal of its own, keeps none for the process.
 *
 * @param file A path; it is not looked up in `$PATH`.
 * @param args What follows `argv[0]`.
 * @throws SystemError such as `ENOENT`, `EACCES`, `E2BIG`, `ENOEXEC`; nothing has changed then. It never returns.
 */
export function execve(file: string, args: readonly string[], options: ExecveOptions = {}): never {
  const { env = process.env, argv0 = file, state = startState() } = options
  const fds: Record<number, number> = { ...standardStreams(), ...options.fds }
  const pairs = Object.entries(fds).flatMap(([number, fd]) => [placeOf(number), openFd(fd)])
  // The record is of our start; the next program's may be another, although its pid is the same.
  const { [START_STATE_VARIABLE]: _record, ...passedOn } = env
  const variables = Object.entries(passedOn).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${value}`,
  )
  const strings = [file, argv0, ...args, ...variables]
  const nul = strings.find((each) => each.includes('\0'))
  if (nul !== undefined)
    throw invalid(`a NUL byte cannot be passed to a program: ${JSON.stringify(nul)}`)

  const bytes = Buffer.from(strings.map((each) => `${each}\0`).join(''))
  const counts = Int32Array.of(1 + args.length, variables.length)
  const signals = BigUint64Array.of(
    signalSet(state.ignoredSignals),
    signalSet(state.blockedSignals),
  )
  const { hard } = getFileLimit()
  const limits = fileLimits({ soft: Math.min(state.softFileLimit, hard), hard })
  const undo = makeBlocking(STANDARD.flatMap((number) => fds[number] ?? []))
  const result = native().execute(bytes, counts, Int32Array.from(pairs), signals, limits)
  undo()
  check(result, 'execve', file)
  throw new Error('execve(2) came back without an error')
}

const STANDARD = [0, 1, 2]

/** Those that are open. */
function standardStreams(): Record<number, number> {
  const open = STANDARD.filter((fd) => native().getCloexec(fd) >= 0)
  return Object.fromEntries(open.map((fd) => [fd, fd]))
}

function placeOf(number: string): number {
  // The kernel's own limit of descriptor numbers (fs.nr_open) is far below.
  if (!/^\d{1,9}$/.test(number)) throw invalid(`not the number of a descriptor: ${number}`)
  return Number(number)
}

function openFd(fd: number): number {
  check(native().getCloexec(fd), 'fcntl', `fd ${fd}`)
  return fd
}

// Node makes pipes and terminals non-blocking when it writes to them, for all who share them, and takes that back at
// its exit, which does not come. Few programs expect it.
function makeBlocking(fds: readonly number[]): () => void {
  const changed: number[] = []
  const undo = (): void => {
    for (const fd of changed) native().setNonBlocking(fd, 1)
  }
  try {
    for (const fd of fds.filter((each) => isNonBlocking(each))) {
      setNonBlocking(fd, false)
      changed.push(fd)
    }
    return undo
  } catch (error) {
    undo()
    throw error
  }
}
