import { readlinkSync } from 'node:fs'
import { closeFd, type Connection, pidfdOpen, pidfdPid } from '@sdbridge/syscalls'
import { cgroupsOf, unitOfCgroup } from '../cgroups/process-cgroups.js'

/** Who may ask for the descriptors of a unit. */
export interface AskerRule {
  /** The cgroup of the unit itself, as in /proc/PID/cgroup; `undefined` if it has none. */
  readonly unitCgroup: string | undefined
  /** The units of engines, whose processes run their containers' runtimes: `docker.service`. */
  readonly engineUnits: readonly string[]
}

/**
 * Judges who is at the other end of a connection. That it is root proves nothing: a container may have the socket in a mount, and be
 * root. So it must be a process of this host, and of an engine or of the unit itself, in no group below, where containers are. What
 * is read of it counts for as long as a pidfd shows that it has not ended.
 *
 * @returns Why it may not ask; `undefined` if it may.
 */
export function whyNot(connection: Connection, rule: AskerRule): string | undefined {
  const { pid, uid } = connection.peer
  if (pid === 0) return 'it is no process that this host shows'
  let pidfd: number | undefined
  try {
    // Before Linux 6.5 only its number tells; it is held from here on.
    pidfd = connection.peerPidfd() ?? pidfdOpen(pid)
    const reason = judge(pid, uid, rule)
    return reason ?? (pidfdPid(pidfd) === pid ? undefined : `process ${pid} has ended`)
  } catch (error) {
    return `process ${pid} cannot be examined: ${(error as Error).message}`
  } finally {
    if (pidfd !== undefined) closeFd(pidfd)
  }
}

function judge(
  pid: number,
  uid: number,
  { unitCgroup, engineUnits }: AskerRule,
): string | undefined {
  if (uid !== 0 && uid !== process.geteuid!()) return `process ${pid} is of another user, ${uid}`
  for (const namespace of ['pid', 'user']) {
    if (namespaceOf(String(pid), namespace) !== namespaceOf('self', namespace))
      return `process ${pid} is in another ${namespace} namespace`
  }
  const cgroups = cgroupsOf(String(pid))
  if (cgroups.some((each) => isOfUnit(each, unitCgroup) || isOfEngine(each, engineUnits)))
    return undefined
  const expected = [unitCgroup, ...engineUnits].filter((each) => each !== undefined)
  return `process ${pid} is in the cgroup ${cgroups.join(', ') || 'of nothing'}: expected that of ${expected.join(', ')}`
}

function namespaceOf(pid: string, name: string): string {
  return readlinkSync(`/proc/${pid}/ns/${name}`)
}

// Where the bridge makes room for a container, it is in a group of its own; the container's is beside it.
function isOfUnit(cgroup: string, unitCgroup: string | undefined): boolean {
  return unitCgroup !== undefined && [unitCgroup, `${unitCgroup}/sdbridge`].includes(cgroup)
}

// What is below an engine's group may be a container, by its --cgroup-parent. A user's units can have any name.
function isOfEngine(cgroup: string, engineUnits: readonly string[]): boolean {
  const found = unitOfCgroup(cgroup)
  const isOurUser = found?.user === undefined || found.user === String(process.geteuid!())
  return (
    found !== undefined && isOurUser && found.cgroup === cgroup && engineUnits.includes(found.unit)
  )
}
