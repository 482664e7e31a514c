import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { DAEMON_ANNOTATION, UNIT_LABEL } from '../engines/labels.js'
import type { FailurePolicy } from '../hooks/run-lifecycle-hook.js'
import { type FileChange, readTextFile } from '../install/file-change.js'
import { foreignEntry } from '../install/registration.js'
import { listIn, objectIn } from '../runtime/json-values.js'
import type { Json } from '../runtime/exact-json.js'
import { type ConfiguredHook, lifecycleHook, sdbridgeHook } from './lifecycle-hooks.js'

/** A file by which an engine calls `sdbridge hook STAGE` for containers with an annotation (oci-hooks(5)). */
interface HookFile {
  readonly name: string
  readonly stage: string
  /** Of the annotation, as a regular expression. */
  readonly annotation: string
  readonly hook: (onFailure: FailurePolicy) => ConfiguredHook
}

/** podman alone knows the stage. A CRI-O that finds it in its directory does not start. */
const PRECREATE: HookFile = {
  name: 'sdbridge.json',
  stage: 'precreate',
  annotation: `^(?:${[UNIT_LABEL, DAEMON_ANNOTATION].map(escaped).join('|')})$`,
  hook: () => sdbridgeHook(['precreate'], 15),
}

/** For podman and CRI-O. */
const LIFECYCLE: readonly HookFile[] = [
  {
    name: 'sdbridge-create-runtime.json',
    stage: 'createRuntime',
    annotation: `^${escaped(DAEMON_ANNOTATION)}$`,
    hook: (onFailure) => lifecycleHook('createRuntime', onFailure),
  },
  {
    name: 'sdbridge-poststop.json',
    stage: 'poststop',
    annotation: `^${escaped(DAEMON_ANNOTATION)}$`,
    hook: (onFailure) => lifecycleHook('poststop', onFailure),
  },
]

export interface HookFileOptions {
  readonly onFailure: FailurePolicy
  /** Whether podman is to call `precreate`. */
  readonly hasPrecreate: boolean
}

/** What is written, and what an earlier installation has written otherwise. @throws BridgeError for what is not ours. */
export function hookFiles(
  directory: string,
  { onFailure, hasPrecreate }: HookFileOptions,
): FileChange[] {
  const written = [...(hasPrecreate ? [PRECREATE] : []), ...LIFECYCLE].map((each) => {
    const { annotation, stage } = each
    const file = join(directory, each.name)
    const before = readTextFile(file)
    if (before !== undefined && !isOurs(before, each)) throw foreignEntry(file, 'a hook')
    const text = {
      version: '1.0.0',
      hook: each.hook(onFailure),
      when: { annotations: { [annotation]: '.' } },
      stages: [stage],
    }
    return { file, before, after: `${JSON.stringify(text, null, 2)}\n` }
  })
  return [...written, ...(hasPrecreate ? [] : removalOf(directory, PRECREATE))]
}

/** The removal of all that are ours. */
export function withoutHookFiles(directory: string): FileChange[] {
  return [PRECREATE, ...LIFECYCLE].flatMap((each) => removalOf(directory, each))
}

function removalOf(directory: string, each: HookFile): FileChange[] {
  const file = join(directory, each.name)
  const before = readTextFile(file)
  return before !== undefined && isOurs(before, each) ? [{ file, before, after: undefined }] : []
}

function isOurs(text: string, { stage }: HookFile): boolean {
  try {
    const args = listIn(objectIn(objectIn(JSON.parse(text) as Json)['hook'])['args'])
    return isDeepStrictEqual(args.slice(2, 4), ['hook', stage])
  } catch {
    return false
  }
}

function escaped(name: string): string {
  return name.replaceAll('.', String.raw`\.`)
}
