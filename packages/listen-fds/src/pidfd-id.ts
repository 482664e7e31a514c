import { closeFd, pidfdId, pidfdOpen } from '@sdbridge/syscalls'

/**
 * The pidfd id of a process, which tells it from an earlier one with the same pid. `undefined` where it
 * cannot be had: before Linux 6.9, under a system call filter, or without the addon.
 */
export function pidfdIdOf(pid: number): bigint | undefined {
  try {
    const pidfd = pidfdOpen(pid)
    try {
      return pidfdId(pidfd)
    } finally {
      closeFd(pidfd)
    }
  } catch {
    return undefined
  }
}
