import { isObject, listIn } from './json-values.js'
import type { JsonObject } from './exact-json.js'

/** Where a configuration mounts something itself, without slashes at its end: at a path, or below it; `undefined` if nowhere. */
export function mountInTheWay(config: JsonObject, target: string): string | undefined {
  for (const mount of listIn(config['mounts'])) {
    const destination = isObject(mount) ? mount['destination'] : undefined
    if (typeof destination !== 'string') continue
    const path = destination.replace(/\/+$/, '')
    if (path === target || path.startsWith(`${target}/`)) return path
  }
  return undefined
}
