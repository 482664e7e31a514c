import { closeSync, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { native } from './native.js'
import { check, systemError } from './system-error.js'

// Numbers of the requests of ioctl_ns(2).
const NS_GET_PARENT = 2
const NS_GET_NSTYPE = 3
const NS_GET_PID_FROM_PIDNS = 6
const NS_GET_PID_IN_PIDNS = 8
const CLONE_NEWPID = 0x2000_0000
const EPERM = -1
const ESRCH = -3
const EINVAL = -22
/** What kernels before 6.11 answer to the last two, and all kernels if the descriptor is something else. */
const UNKNOWN_REQUEST = new Set([-25 /* ENOTTY */, EINVAL])

/**
 * Opens the pid namespace of a process (pid_namespaces(7)), to translate pids from and to it. Needs the right to look into
 * that process (ptrace(2), PTRACE_MODE_READ). The caller closes it with `closeFd`.
 *
 * @throws Error of node:fs, such as `ENOENT` (there is no such process) or `EACCES`.
 */
export function openPidNamespace(pid: number): number {
  return openSync(`/proc/${pid}/ns/pid`, 'r')
}

/**
 * Our number for the process that is `pid` in another pid namespace; `undefined` if there is no such process, or if our
 * namespace does not show it.
 *
 * @throws SystemError if the descriptor is no pid namespace.
 */
export function pidFromNamespace(namespaceFd: number, pid: number): number | undefined {
  return translate(namespaceFd, NS_GET_PID_FROM_PIDNS, pid, () => searchPid(namespaceFd, pid))
}

/** The number that our process `pid` has in another pid namespace; `undefined` if it is not in it. */
export function pidInNamespace(namespaceFd: number, pid: number): number | undefined {
  return translate(namespaceFd, NS_GET_PID_IN_PIDNS, pid, () => pidSeenFrom(namespaceFd, pid))
}

function translate(
  namespaceFd: number,
  request: number,
  pid: number,
  without: () => number | undefined,
): number | undefined {
  const result = native().namespace(namespaceFd, request, pid)
  if (result === ESRCH) return undefined
  const subject = `fd ${namespaceFd}`
  if (!UNKNOWN_REQUEST.has(result)) return check(result, 'ioctl', subject)
  const type = check(native().namespace(namespaceFd, NS_GET_NSTYPE, 0), 'ioctl', subject)
  if (type !== CLONE_NEWPID) throw systemError(EINVAL, 'ioctl', subject)
  return without()
}

/** {@link pidFromNamespace} on a kernel before 6.11: looks at every process. */
export function searchPid(namespaceFd: number, pid: number): number | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((ours) => pidSeenFrom(namespaceFd, ours) === pid)
}

/** {@link pidInNamespace} on a kernel before 6.11. */
export function pidSeenFrom(namespaceFd: number, pid: number): number | undefined {
  const target = fstatSync(namespaceFd).ino
  try {
    // The process' number in each namespace from ours down to its own, in which it is.
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    const numbers = /^NSpid:\t(.*)$/m.exec(status)![1]!.split('\t').map(Number)
    const level = lineOf(openPidNamespace(pid)).indexOf(target)
    return level === -1 ? undefined : numbers.at(-1 - level)
  } catch (error) {
    if (GONE.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

const GONE = new Set(['ENOENT', 'ESRCH', 'EACCES'])

/** The inodes of a namespace and of its parents, up to ours. Takes over the descriptor. */
function lineOf(namespaceFd: number): number[] {
  const line: number[] = []
  for (let fd = namespaceFd; ;) {
    line.push(fstatSync(fd).ino)
    const parent = native().namespace(fd, NS_GET_PARENT, 0)
    closeSync(fd)
    // Above ours there is nothing to see.
    if (parent === EPERM) return line
    fd = check(parent, 'ioctl', `fd ${fd}`)
  }
}
