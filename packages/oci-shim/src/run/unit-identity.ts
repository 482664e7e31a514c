import { readFileSync } from 'node:fs'

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
  const cgroups = ownCgroups()
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

/** The unit of a control group: system, or of a user's manager. As cg_path_get_unit() and cg_path_get_user_unit() of systemd. */
export function unitOfCgroup(
  cgroup: string,
): { unit: string; user: string | undefined; cgroup: string } | undefined {
  const parts = cgroup.split('/').slice(1)
  const start = parts.findIndex((part) => !part.endsWith('.slice'))
  const unit = unescaped(parts[start])
  if (unit === undefined) return undefined
  const user = /^user@(\d+)\.service$/.exec(unit)?.[1]
  if (user === undefined) return named(unit, undefined, parts, start)
  const inner = parts.findIndex((part, index) => index > start && !part.endsWith('.slice'))
  const innerUnit = unescaped(parts[inner])
  // The user's manager itself is in user@1000.service/init.scope.
  return innerUnit === undefined ? undefined : named(innerUnit, user, parts, inner)
}

// A session, and what is started by hand in one, is a scope.
function named(
  unit: string,
  user: string | undefined,
  parts: string[],
  index: number,
): { unit: string; user: string | undefined; cgroup: string } | undefined {
  if (!unit.endsWith('.service')) return undefined
  return { unit, user, cgroup: `/${parts.slice(0, index + 1).join('/')}` }
}

// A name that could be taken for a file of the kernel has an underscore in front (cg_escape() of systemd).
function unescaped(part: string | undefined): string | undefined {
  if (part === undefined || part === '') return undefined
  return part.startsWith('_') ? part.slice(1) : part
}

function idOf(unit: string, user: string | undefined): string {
  return user === undefined ? unit : `user-${user}/${unit}`
}

// Version 2, or the hierarchy of its own that systemd has beside version 1. Where systemd runs in a container that sees the
// host's groups, what is in front of its own belongs to the host.
function ownCgroups(): string[] {
  const root = hierarchies('/proc/1/cgroup')
  return hierarchies('/proc/self/cgroup').map(({ name, path }) => {
    const prefix = root.find((each) => each.name === name)?.path.replace(/\/init\.scope$/, '') ?? ''
    return prefix !== '/' && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path
  })
}

function hierarchies(file: string): { name: string; path: string }[] {
  let text
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return []
  }
  const lines = [...text.matchAll(/^(\d+):([^:]*):(.*)$/gm)]
  return ['', 'name=systemd'].flatMap((name) => {
    const line = lines.find((each) => each[2] === name)
    return line === undefined ? [] : [{ name, path: line[3]! }]
  })
}
