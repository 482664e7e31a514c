import type { Connection } from '@sdbridge/syscalls'
import { whyNotTrusted } from '../broker/peer-process.js'
import { cgroupsOf, unitOfCgroup } from '../cgroups/process-cgroups.js'

/** The units whose processes start containers for others: they are never spoken for themselves. */
export const ENGINE_UNITS: readonly string[] = [
  'docker.service',
  'containerd.service',
  'crio.service',
  'cri-o.service',
  'podman.service',
  'snap.docker.dockerd.service',
]

/** Whom a caller of the daemon shows itself to be, by its control group. */
export interface Caller {
  readonly pid: number
  /** The unit that it is a process of, in the group of the unit itself; `undefined` for an engine, or root at a terminal. */
  readonly unit: string | undefined
}

/**
 * Judges who is at the other end of a connection: it must be root's process on this host, of a unit itself, of an engine, or of a session of root's; in no
 * group of a container.
 *
 * @throws Error that says why it may not ask.
 */
export function callerOf(connection: Connection): Caller {
  let caller: Caller | undefined
  const reason = whyNotTrusted(connection, (pid) => {
    const cgroups = cgroupsOf(String(pid))
    const found = placesOf(cgroups)
    if (found === undefined)
      return `process ${pid} is in the cgroup ${cgroups.join(', ') || 'of nothing'}: expected that of a unit, of an engine or of root's session`
    caller = { pid, unit: found === 'host' ? undefined : found.unit }
    return undefined
  })
  if (caller === undefined || reason !== undefined) throw new Error(reason)
  return caller
}

type Place = 'host' | { readonly unit: string }

/** Where a process is that has these groups, one of each hierarchy; `undefined` if it may be in a container. Exported for tests. */
export function placesOf(cgroups: readonly string[]): Place | undefined {
  const places = cgroups.filter((each) => each !== '/').map(placeOf)
  const [first] = places
  if (first === undefined || places.includes(undefined)) return undefined
  const unit = places.find((each) => typeof each === 'object')
  const isOne = places.every((each) => each === 'host' || each?.unit === unit?.unit)
  return isOne ? (unit ?? first) : undefined
}

function placeOf(cgroup: string): Place | undefined {
  if (HOST_GROUPS.some((each) => each.test(cgroup))) return 'host'
  const found = unitOfCgroup(cgroup)
  // What is below a unit's group may be a container.
  if (found === undefined || found.user !== undefined || found.cgroup !== cgroup) return undefined
  return ENGINE_UNITS.includes(found.unit) ? 'host' : { unit: found.unit }
}

/** Of a session of root's, of what it has started by systemd-run, and of the monitors from which podman and CRI-O start their runtimes. */
const HOST_GROUPS = [
  /^\/user\.slice\/user-0\.slice\/session-[^/]+\.scope$/,
  /^\/(?:[^/]+\.slice\/)*(?:libpod|crio)-conmon-[\da-f]+\.scope$/,
]
