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
  /** The unit that it is a process of, in the group of the unit itself; `undefined` for an engine, or root in a session. */
  readonly unit: string | undefined
}

/**
 * Judges who is at the other end of a connection: it must be root's process on this host, of a unit itself, of an engine or its monitors, or of a session; in
 * no group of a container.
 *
 * @throws Error that says why it may not ask.
 */
export function callerOf(connection: Connection): Caller {
  let caller: Caller | undefined
  const reason = whyNotTrusted(connection, (pid) => {
    const cgroups = cgroupsOf(String(pid))
    const found = placesOf(cgroups)
    if (found === undefined)
      return `process ${pid} is in the cgroup ${cgroups.join(', ') || 'of nothing'}: expected that of a unit itself, of an engine or of a session`
    caller = { pid, unit: found === 'host' ? undefined : found.unit }
    return undefined
  })
  if (caller === undefined || reason !== undefined) throw new Error(reason)
  return caller
}

/** The control group of a caller's unit. Should its number mean another process by now, that is one of another unit. */
export function groupOfCaller({ pid, unit }: Caller): string | undefined {
  const found = cgroupsOf(String(pid)).map((each) => unitOfCgroup(each))
  return found.find((each) => each?.unit === unit && each?.user === undefined)?.cgroup
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
  if (MONITORS.test(cgroup)) return 'host'
  if (SESSIONS.test(cgroup)) return CONTAINERS.test(cgroup) ? undefined : 'host'
  const found = unitOfCgroup(cgroup)
  if (found === undefined || found.user !== undefined) return undefined
  // What else is below a unit's group may be a container.
  const below = cgroup.slice(found.cgroup.length)
  if (!OWN_GROUPS.has(below)) return undefined
  return ENGINE_UNITS.includes(found.unit) ? 'host' : { unit: found.unit }
}

/** Of a unit's own processes: its commands beside the main one, where it has groups below it; what makes room for a container; podman and its monitor (--cgroups=split). */
const OWN_GROUPS = new Set(['', '/.control', '/sdbridge', '/runtime', '/supervisor'])
/** The monitors from which podman and CRI-O start their runtimes. */
const MONITORS = /^\/(?:[^/]+\.slice\/)*(?:libpod|crio)-conmon-[\da-f]+\.scope$/
/** Sessions, in which somebody has become root; rootless containers, which can be there, too, have a user namespace of their own. */
const SESSIONS = /^\/user\.slice\/user-\d+\.slice\//
/** What engines call their containers' groups, wherever they are told to make them. */
const CONTAINERS = /\/(?:docker|libpod|crio|cri-containerd|nerdctl)-[^/]*(?:\.scope)?(?:\/|$)/
