import { fstatSync, readFileSync } from 'node:fs'
import { native } from './native.js'
import { type Signal, signalNumber } from './signal-number.js'
import { check, invalid } from './system-error.js'

// Of linux/magic.h. Before pidfs (Linux 6.9) all pidfds shared one inode, which identified nothing.
const PIDFS_MAGIC = 0x50_49_44_46

/**
 * Opens a descriptor that keeps naming this process, whatever becomes of its number (pidfd_open(2)). It
 * becomes readable when the process has ended.
 */
export function pidfdOpen(pid: number): number {
  return check(native().pidfdOpen(pid), 'pidfd_open', `pid ${pid}`)
}

/**
 * The inode of a pidfd, which no two processes share until the next boot: what systemd calls a pidfd id
 * (`MAINPIDFDID=`, `$LISTEN_PIDFDID`). `undefined` where the kernel has none (before 6.9).
 */
export function pidfdId(pidfd: number): bigint | undefined {
  const type = check(native().filesystemType(pidfd), 'fstatfs', `fd ${pidfd}`)
  if (type !== PIDFS_MAGIC) return undefined
  return fstatSync(pidfd, { bigint: true }).ino
}

/**
 * The number that a pidfd's process has in our pid namespace; `undefined` if it has ended and was waited for, or if our
 * namespace does not show it (proc_pid_fdinfo(5)).
 *
 * @throws SystemError `EBADF`; TypeError if the descriptor is no pidfd.
 */
export function pidfdPid(pidfd: number): number | undefined {
  check(native().getCloexec(pidfd), 'fcntl', `fd ${pidfd}`)
  const pid = /^Pid:\t(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'latin1'))?.[1]
  if (pid === undefined) throw invalid(`descriptor ${pidfd} is no pidfd`)
  return Number(pid) > 0 ? Number(pid) : undefined
}

/**
 * Sends a signal to a pidfd's process, and to no other that has got its number since (pidfd_send_signal(2)).
 *
 * @param signal A name, a real-time signal such as `'SIGRTMIN+3'`, or a number; 0 only asks whether that is allowed.
 * @throws SystemError `ESRCH` if the process has ended and was waited for (until then nothing happens), `EPERM`.
 */
export function sendSignal(pidfd: number, signal: Signal): void {
  const result = native().pidfdSendSignal(pidfd, signalNumber(signal))
  check(result, 'pidfd_send_signal', `fd ${pidfd}`)
}
