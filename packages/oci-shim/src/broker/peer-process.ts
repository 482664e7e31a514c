import { readlinkSync } from 'node:fs'
import { closeFd, type Connection, pidfdOpen, pidfdPid } from '@sdbridge/syscalls'

/**
 * Judges the process at the other end of a connection. That it is root proves nothing: a container may have the socket in a mount, and be
 * root. So it must be a process of this host first, and of root or this user. What is read of it counts for as long as a pidfd shows that
 * it has not ended.
 *
 * @param judge Says what else is wrong with it, if anything is.
 * @returns Why it is not to be trusted; `undefined` if it is.
 */
export function whyNotTrusted(
  connection: Connection,
  judge: (pid: number) => string | undefined,
): string | undefined {
  const { pid, uid } = connection.peer
  if (pid === 0) return 'it is no process that this host shows'
  let pidfd: number | undefined
  try {
    // Before Linux 6.5 only its number tells; it is held from here on.
    pidfd = connection.peerPidfd() ?? pidfdOpen(pid)
    const reason = whyForeign(pid, uid) ?? judge(pid)
    return reason ?? (pidfdPid(pidfd) === pid ? undefined : `process ${pid} has ended`)
  } catch (error) {
    return `process ${pid} cannot be examined: ${(error as Error).message}`
  } finally {
    if (pidfd !== undefined) closeFd(pidfd)
  }
}

function whyForeign(pid: number, uid: number): string | undefined {
  if (uid !== 0 && uid !== process.geteuid!()) return `process ${pid} is of another user, ${uid}`
  const other = ['pid', 'user'].find(
    (name) => namespaceOf(String(pid), name) !== namespaceOf('self', name),
  )
  return other === undefined ? undefined : `process ${pid} is in another ${other} namespace`
}

function namespaceOf(pid: string, name: string): string {
  return readlinkSync(`/proc/${pid}/ns/${name}`)
}
