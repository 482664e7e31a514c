import { realpathSync } from 'node:fs'
import { basename, dirname, normalize } from 'node:path'
import { isContainerName } from '../control/container-name.js'
import type { JsonObject } from '../runtime/exact-json.js'
import { isObject, listIn } from '../runtime/json-values.js'

/**
 * What the daemon calls a container, by the directory that it has mounted: one directly below the base. `undefined` if it has none, and so is no
 * concern of the daemon's.
 *
 * @throws Error if it has several, or one of a name that no container has.
 */
export function notifyNameIn(config: JsonObject, base: string): string | undefined {
  const bases = new Set([base, realPathOf(base)])
  const names = listIn(config['mounts']).flatMap((mount) => {
    const source = isObject(mount) ? mount['source'] : undefined
    if (typeof source !== 'string' || !source.startsWith('/')) return []
    const path = normalize(source).replace(/\/$/, '')
    return bases.has(dirname(path)) ? [basename(path)] : []
  })
  const [name, ...others] = new Set(names)
  if (others.length > 0)
    throw new Error(
      `the container mounts ${names.length} directories below ${base}: expected one, of its own`,
    )
  if (name !== undefined && !isContainerName(name))
    throw new Error(
      `the container mounts ${base}/${name}: expected a name of at most 61 letters, digits and _.-`,
    )
  return name
}

// CRI-O writes the sources of mounts down without the links on the way.
function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
