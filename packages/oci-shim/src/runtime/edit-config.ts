import { resolve } from 'node:path'
import type { Bundle } from './bundle.js'
import { isObject, listIn, objectIn } from './json-values.js'
import { nameOfVariable } from './variables.js'
import type { Json, JsonObject } from './exact-json.js'

/** What a container is to have that its configuration does not say. */
export interface ConfigEdit {
  /** A directory of the host, and where it appears inside. */
  readonly mount: { readonly source: string; readonly target: string }
  /** Set where they are not set yet. */
  readonly variables: Readonly<Record<string, string>>
  /** Of those, what the configuration may not say otherwise. */
  readonly ownVariables: ReadonlySet<string>
  readonly annotations: Readonly<Record<string, string>>
  /** Where there is none yet. */
  readonly cgroupsPath: string | undefined
}

/** A bundle's configuration with an edit, for a copy that lies elsewhere: what was relative to the bundle is absolute. All else is kept. */
export function editConfig({ config, directory }: Bundle, edit: ConfigEdit): JsonObject {
  return {
    ...config,
    root: withAbsolute(objectIn(config['root']), 'path', directory),
    mounts: [...listIn(config['mounts']).map((each) => editMount(each, directory)), mountOf(edit)],
    process: editProcess(config['process'], edit),
    linux: editLinux(config['linux'], edit, directory),
    annotations: { ...objectIn(config['annotations']), ...edit.annotations },
  }
}

/** The variables of the environment that a configuration sets. */
export function configuredVariables(config: JsonObject): readonly string[] {
  return listIn(objectIn(config['process'])['env']).filter((each) => typeof each === 'string')
}

// The last, so that it lies on what others mount on a directory above: /run is a tmpfs in many bundles.
function mountOf({ mount }: ConfigEdit): JsonObject {
  return {
    destination: mount.target,
    type: 'bind',
    source: mount.source,
    options: ['bind', 'ro', 'nosuid', 'nodev', 'noexec'],
  }
}

function editMount(mount: Json, directory: string): Json {
  if (!isObject(mount)) return mount
  const isBind =
    mount['type'] === 'bind' ||
    listIn(mount['options']).some((each) => each === 'bind' || each === 'rbind')
  return isBind ? withAbsolute(mount, 'source', directory) : mount
}

function editProcess(process: Json | undefined, edit: ConfigEdit): JsonObject {
  const { variables, ownVariables } = edit
  const theirs = listIn(objectIn(process)['env'])
  const kept = theirs.filter((each) => !ownVariables.has(nameOfVariable(each)))
  const names = new Set(kept.map(nameOfVariable))
  const ours = Object.entries(variables).filter(([name]) => !names.has(name))
  return {
    ...objectIn(process),
    env: [...kept, ...ours.map(([name, value]) => `${name}=${value}`)],
  }
}

function editLinux(
  linux: Json | undefined,
  { cgroupsPath }: ConfigEdit,
  directory: string,
): JsonObject | undefined {
  if (linux === undefined && cgroupsPath === undefined) return undefined
  const { namespaces, ...rest } = objectIn(linux)
  const given = rest['cgroupsPath']
  return {
    ...rest,
    ...(namespaces === undefined
      ? {}
      : { namespaces: listIn(namespaces).map((each) => withAbsolute(each, 'path', directory)) }),
    ...(cgroupsPath === undefined || (given !== undefined && given !== '') ? {} : { cgroupsPath }),
  }
}

function withAbsolute(value: Json, key: string, directory: string): Json {
  if (!isObject(value)) return value
  const path = value[key]
  if (typeof path !== 'string' || path === '' || path.startsWith('/')) return value
  return { ...value, [key]: resolve(directory, path) }
}
