import type { JsonObject } from '../runtime/exact-json.js'
import { isObject, objectIn } from '../runtime/json-values.js'

/** What a runtime tells its hooks of a container (runtime-spec, runtime.md, "State"). */
export interface ContainerState {
  readonly id: string
  /** The directory with the container's `config.json`. */
  readonly bundle: string
  /** The container's first process, as the host counts; `undefined` when it has ended. */
  readonly pid: number | undefined
  readonly annotations: JsonObject
}

/** @throws Error that says what was expected. */
export function parseState(text: string): ContainerState {
  const value = parsed(text)
  const { annotations, bundle, id, pid } = isObject(value) ? value : {}
  if (typeof id !== 'string' || !/^[!-~][ -~]{0,254}$/.test(id)) throw unreadable('an id')
  if (typeof bundle !== 'string' || !bundle.startsWith('/'))
    throw unreadable('the absolute path of a bundle')
  return {
    id,
    bundle,
    pid: Number.isSafeInteger(pid) && (pid as number) > 0 ? (pid as number) : undefined,
    annotations: objectIn(annotations),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw unreadable('JSON')
  }
}

function unreadable(what: string): Error {
  return new Error(
    `standard input is no container's state, as an OCI runtime gives it to its hooks: expected ${what}`,
  )
}
