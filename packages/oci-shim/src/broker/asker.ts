import type { Connection } from '@sdbridge/syscalls'
import { cgroupsOf, unitOfCgroup } from '../cgroups/process-cgroups.js'
import { whyNotTrusted } from './peer-process.js'

/** Who may ask for the descriptors of a unit. */
export interface AskerRule {
  /** The cgroup of the unit itself, as in /proc/PID/cgroup; `undefined` if it has none. */
  readonly unitCgroup: string | undefined
  /** The units of engines, whose processes run their containers' runtimes: `docker.service`. */
  readonly engineUnits: readonly string[]
}

/**
 * Judges who asks: it must be a process of an engine or of the unit itself, in no group below, where containers are. A container whose
 * root may move itself among the host's groups, and is in the host's pid namespace, is the host's root, against whom nothing helps.
 *
 * @returns Why it may not ask; `undefined` if it may.
 */
export function whyNot(connection: Connection, rule: AskerRule): string | undefined {
  return whyNotTrusted(connection, (pid) => judge(pid, rule))
}

function judge(pid: number, rule: AskerRule): string | undefined {
  const cgroups = cgroupsOf(String(pid))
  if (isAllowed(cgroups, rule)) return undefined
  const expected = [rule.unitCgroup, ...rule.engineUnits].filter((each) => each !== undefined)
  return `process ${pid} is in the cgroup ${cgroups.join(', ') || 'of nothing'}: expected that of ${expected.join(', ')}`
}

/**
 * Whether a process in these groups, one of each hierarchy, may ask. There are two where systemd has one beside version 1; a container can
 * be in its own group in one of them, and in the root, which tells nothing, or where its runtime is, in the other.
 */
export function isAllowed(
  cgroups: readonly string[],
  { unitCgroup, engineUnits }: AskerRule,
): boolean {
  const isOurs = (each: string): boolean =>
    isOfUnit(each, unitCgroup) || isOfEngine(each, engineUnits)
  return cgroups.some(isOurs) && cgroups.every((each) => each === '/' || isOurs(each))
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
