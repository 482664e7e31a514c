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
  const { linux, mounts, root } = config
  return addToConfig(
    {
      ...config,
      root: withAbsolute(objectIn(root), 'path', directory),
      mounts: listIn(mounts).map((each) => withAbsoluteSource(each, directory)),
      ...(linux === undefined ? {} : { linux: withAbsoluteNamespaces(linux, directory) }),
    },
    edit,
  )
}

/** A bundle's configuration with an edit, where it lies. */
export function addToConfig(config: JsonObject, edit: ConfigEdit): JsonObject {
  return {
    ...config,
    mounts: [...listIn(config['mounts']), mountOf(edit)],
    process: editProcess(config['process'], edit),
    linux: addCgroup(config['linux'], edit),
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

function withAbsoluteSource(mount: Json, directory: string): Json {
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

function addCgroup(linux: Json | undefined, { cgroupsPath }: ConfigEdit): Json | undefined {
  if (cgroupsPath === undefined) return linux
  const given = objectIn(linux)['cgroupsPath']
  return given === undefined || given === '' ? { ...objectIn(linux), cgroupsPath } : linux
}

function withAbsoluteNamespaces(linux: Json, directory: string): Json {
  if (!isObject(linux)) return linux
  const { namespaces, ...rest } = linux
  if (namespaces === undefined) return linux
  return {
    ...rest,
    namespaces: listIn(namespaces).map((each) => withAbsolute(each, 'path', directory)),
  }
}

function withAbsolute(value: Json, key: string, directory: string): Json {
  if (!isObject(value)) return value
  const path = value[key]
  if (typeof path !== 'string' || path === '' || path.startsWith('/')) return value
  return { ...value, [key]: resolve(directory, path) }
}
