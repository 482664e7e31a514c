import { cgroupsOf, unitOfCgroup } from '../cgroups/process-cgroups.js'

/** The unit that a process belongs to. */
export interface UnitIdentity {
  /** `web.service`; `undefined` if it is none that a service manager started. */
  readonly unit: string | undefined
  /** Which manager that is. */
  readonly manager: 'system' | 'user'
  /** Tells the units of all managers of a machine apart: a container's label says it. */
  readonly id: string
  /** Its cgroup, as in /proc/self/cgroup. */
  readonly cgroup: string | undefined
}

/**
 * Finds out by the control group, which nothing in an environment can fake or forget, as systemd itself does.
 *
 * @param given A name that counts in place of what is found.
 */
export function unitIdentity(given?: string): UnitIdentity {
  const cgroups = cgroupsOf('self')
  const found = cgroups.map((cgroup) => unitOfCgroup(cgroup)).find((each) => each !== undefined)
  const cgroup = found?.cgroup ?? cgroups[0]
  if (given !== undefined) {
    return { unit: undefined, manager: 'system', id: idOf(given, undefined), cgroup }
  }
  if (found === undefined) {
    // Started by hand, or by another manager: nothing but the process tells one run from the next, and its number only until
    // it is another's, which may be in another pid namespace of this host.
    const { randomBytes } = process.getBuiltinModule('node:crypto')
    const id = `${BY_HAND}${process.pid}-${randomBytes(4).toString('hex')}`
    return { unit: undefined, manager: 'system', id, cgroup }
  }
  const { unit, user } = found
  const manager = user === undefined ? 'system' : 'user'
  return { unit, manager, id: idOf(unit, user), cgroup }
}

/** Whether an id is that of a run outside of any unit. A unit's name has an ending. */
export function isByHand(id: string): boolean {
  return new RegExp(`^${BY_HAND}\\d+-[\\da-f]{8}$`).test(id)
}

const BY_HAND = 'pid-'

function idOf(unit: string, user: string | undefined): string {
  return user === undefined ? unit : `user-${user}/${unit}`
}
