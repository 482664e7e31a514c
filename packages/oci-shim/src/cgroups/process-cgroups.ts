import { readFileSync } from 'node:fs'

/**
 * The control groups of a process, by its number or as `self`: of version 2, and of the hierarchy of its own that systemd has beside
 * version 1. Where systemd runs in a container that sees the host's groups, what is in front of its own belongs to the host.
 */
export function cgroupsOf(pid: string): string[] {
  const root = hierarchies('/proc/1/cgroup')
  return hierarchies(`/proc/${pid}/cgroup`).map(({ name, path }) => {
    const prefix = root.find((each) => each.name === name)?.path.replace(/\/init\.scope$/, '') ?? ''
    return prefix !== '/' && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path
  })
}

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
