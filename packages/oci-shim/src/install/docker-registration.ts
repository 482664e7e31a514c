import { dirname } from 'node:path'
import { BridgeError } from '../run/bridge-error.js'
import type { JsonObject } from '../runtime/exact-json.js'
import { isObject, objectIn } from '../runtime/json-values.js'
import { type FileChange, readTextFile } from './file-change.js'
import { objectTextAt, spliced, withMember, withoutMember } from './json-text.js'
import { foreignEntry, isOurs, type Registration, type RegistrationToUndo } from './registration.js'

/**
 * Puts a runtime among the `runtimes` of dockerd's `daemon.json` (dockerd(8)). All else stays as it is written, to the byte.
 *
 * @throws BridgeError if the file is not what dockerd reads, or has another runtime of that name.
 */
export function registerInDocker({ name, launcher, file }: Registration): FileChange {
  const before = readTextFile(file)
  if (before === undefined) return { file, before, after: freshFile(name, launcher) }
  const { config, start } = parse(file, before)
  const object = objectTextAt(before, start)
  const runtimes = object.members.find(({ key }) => key === 'runtimes')
  const entry = entryOf(name, launcher)
  if (runtimes === undefined)
    return { file, before, after: withMember(before, object, `"runtimes": { ${entry} }`) }
  const inner = objectTextAt(before, runtimes.valueStart)
  const there = inner.members.find(({ key }) => key === name)
  if (there === undefined) return { file, before, after: withMember(before, inner, entry) }
  const path = pathIn(config, name)
  if (!isOurs(path, dirname(launcher))) throw foreignEntry(file, `a runtime ${name}`)
  const after =
    path === launcher ? before : spliced(before, there.valueStart, there.end, valueOf(launcher))
  return { file, before, after }
}

/**
 * Takes it out again: a file that has not been changed in between is as it was, to the byte.
 *
 * @throws BridgeError if the file is not what dockerd reads, or the runtime is the default.
 */
export function unregisterFromDocker({
  name,
  directory,
  file,
}: RegistrationToUndo): FileChange | undefined {
  const before = readTextFile(file)
  if (before === undefined) return undefined
  const { config, start } = parse(file, before)
  const path = pathIn(config, name)
  if (!isOurs(path, directory)) return undefined
  if (config['default-runtime'] === name) throw defaultRuntime(file, name)
  if (before === freshFile(name, path)) return { file, before, after: undefined }
  const object = objectTextAt(before, start)
  const runtimes = object.members.find(({ key }) => key === 'runtimes')!
  const inner = objectTextAt(before, runtimes.valueStart)
  // In an empty object that was there, the entry stands without a space.
  const wereThere =
    inner.members.length > 1 || before.startsWith(`{${entryOf(name, path)}`, runtimes.valueStart)
  const after = wereThere
    ? withoutMember(before, inner, name)
    : withoutMember(before, object, 'runtimes')
  return { file, before, after }
}

/** What may not happen by force either. */
export function defaultRuntime(where: string, name: string): BridgeError {
  return new BridgeError(
    'ERR_BRIDGE_FAILED',
    `${name} is docker's default runtime (${where}): dockerd would not start without it: set another default-runtime, and reload dockerd`,
  )
}

function freshFile(name: string, launcher: string): string {
  return `{\n  "runtimes": { ${entryOf(name, launcher)} }\n}\n`
}

function entryOf(name: string, launcher: string): string {
  return `${JSON.stringify(name)}: ${valueOf(launcher)}`
}

function valueOf(launcher: string): string {
  return `{ "path": ${JSON.stringify(launcher)} }`
}

/** Where a runtime's program is; `undefined` if more is said of it than we do. */
function pathIn(config: JsonObject, name: string): unknown {
  const { path, ...rest } = objectIn(objectIn(config['runtimes'])[name])
  return Object.keys(rest).length === 0 ? path : undefined
}

function parse(file: string, text: string): { config: JsonObject; start: number } {
  const config = parsed(file, text)
  if (!isObject(config) || !isObject(config['runtimes'] ?? {}))
    throw broken(file, 'expected an object whose "runtimes" are an object')
  return { config, start: text.indexOf('{') }
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const hasComments = /^\s*(?:\/\/|\/\*|#)/m.test(text)
    throw broken(
      file,
      hasComments ? 'it has comments, which dockerd does not read' : (error as Error).message,
    )
  }
}

function broken(file: string, why: string): BridgeError {
  return new BridgeError(
    'ERR_BRIDGE_FAILED',
    `${file} is not the JSON that dockerd reads, and is left as it is: ${why.replaceAll(/\s+/g, ' ')}: correct it (dockerd --validate --config-file ${file})`,
  )
}
