import type { Json, JsonObject } from './exact-json.js'
import { isObject, listIn } from './json-values.js'

/** A file system in memory that a container gets. */
export interface Tmpfs {
  readonly path: string
  readonly mode: string
}

/**
 * A configuration with what systemd needs as the first process and does not find there: file systems in memory, a cgroup namespace, and a
 * cgroup that it may write to. All else is kept, capabilities and the system call filter too.
 */
export function withSystemd(config: JsonObject, tmpfs: readonly Tmpfs[]): JsonObject {
  const mounts = listIn(config['mounts']).map(withWritableCgroup)
  const destinations = new Set(mounts.map(destinationOf))
  const missing = tmpfs.filter(({ path }) => !destinations.has(path))
  return {
    ...config,
    // In front, so that whatever is mounted below them lies on them.
    mounts: [
      ...missing.map(tmpfsMount),
      ...mounts,
      ...(destinations.has(CGROUP_MOUNT) ? [] : [cgroupMount()]),
    ],
    linux: withCgroupNamespace(config['linux']),
  }
}

/** What a configuration mounts, and where. */
export function mountsOf(config: JsonObject): readonly { path: string; mount: JsonObject }[] {
  return listIn(config['mounts']).flatMap((mount) => {
    const path = destinationOf(mount)
    return path === undefined || !isObject(mount) ? [] : [{ path, mount }]
  })
}

const CGROUP_MOUNT = '/sys/fs/cgroup'

function withWritableCgroup(mount: Json): Json {
  if (!isObject(mount) || destinationOf(mount) !== CGROUP_MOUNT) return mount
  const options = listIn(mount['options']).filter((each) => each !== 'ro' && each !== 'rro')
  return { ...mount, options }
}

function tmpfsMount({ path, mode }: Tmpfs): JsonObject {
  const options = ['nosuid', 'nodev', `mode=${mode}`]
  return { destination: path, type: 'tmpfs', source: 'tmpfs', options }
}

function cgroupMount(): JsonObject {
  const options = ['nosuid', 'noexec', 'nodev', 'relatime']
  return { destination: CGROUP_MOUNT, type: 'cgroup', source: 'cgroup', options }
}

function withCgroupNamespace(linux: Json | undefined): JsonObject {
  const given = isObject(linux) ? linux : {}
  const namespaces = listIn(given['namespaces'])
  if (namespaces.some((each) => isObject(each) && each['type'] === 'cgroup')) return given
  return { ...given, namespaces: [...namespaces, { type: 'cgroup' }] }
}

function destinationOf(mount: Json): string | undefined {
  const path = isObject(mount) ? mount['destination'] : undefined
  return typeof path === 'string' ? path.replace(/(?<=.)\/+$/, '') : undefined
}
