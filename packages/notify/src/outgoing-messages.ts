import { PID_MAX } from './assignment-table.js'
import type { Assignments } from './assignments.js'
import { checkOpen } from './check-open.js'
import { MESSAGE_MAX_FDS } from './combination.js'
import { encodeMessage } from './encode-message.js'
import { invalidArgType } from './errors.js'
import type { Outgoing } from './transport.js'

/**
 * The messages for some assignments and descriptors: one, or several of the same name where there are more descriptors to store
 * than the kernel lets one message carry.
 *
 * @param pid The sender to claim, with this process's own user and group.
 * @throws TypeError for a wrong argument; what {@link encodeMessage} throws.
 */
export function outgoingMessages(
  assignments: Assignments,
  fds: readonly number[],
  pid: number | undefined,
): readonly Outgoing[] {
  checkFds(fds)
  const credentials = credentialsFor(pid)
  // A copy, as it may wait, and the caller's array may be changed meanwhile.
  const first = assignments?.fdStore ? fds.slice(0, MESSAGE_MAX_FDS) : fds.slice()
  const messages = [{ data: encodeMessage(assignments, first.length), fds: first, credentials }]
  if (first.length === fds.length) return messages

  const { fdName, fdPoll } = assignments
  const data = encodeMessage({ fdStore: true, fdName, fdPoll }, 1)
  for (let from = MESSAGE_MAX_FDS; from < fds.length; from += MESSAGE_MAX_FDS) {
    messages.push({ data, fds: fds.slice(from, from + MESSAGE_MAX_FDS), credentials })
  }
  return messages
}

// What libsystemd claims: the real ids. For a process that changed its effective ones (seteuid(2)) nothing needs to be claimed,
// as the kernel tells the real ones by itself.
function credentialsFor(pid: number | undefined): Outgoing['credentials'] {
  if (pid === undefined || pid === 0 || pid === process.pid) return undefined
  if (!Number.isInteger(pid) || pid < 0 || pid > PID_MAX) {
    throw invalidArgType('pid', 'a process id', pid)
  }
  return { pid, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
}

function checkFds(fds: readonly number[]): void {
  if (!Array.isArray(fds)) throw invalidArgType('fds', 'an array of descriptors', fds)
  for (const fd of fds as readonly unknown[]) {
    if (!Number.isInteger(fd) || (fd as number) < 0) {
      throw invalidArgType('fds', 'an array of descriptors, which are numbers from 0 on', fd)
    }
    checkOpen(fd as number)
  }
}
