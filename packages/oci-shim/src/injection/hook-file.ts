import { fileURLToPath } from 'node:url'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { UNIT_LABEL } from '../engines/labels.js'
import { type FileChange, readTextFile } from '../install/file-change.js'
import { foreignEntry } from '../install/registration.js'
import { listIn, objectIn } from '../runtime/json-values.js'
import type { Json } from '../runtime/exact-json.js'

/** The file by which podman calls `sdbridge hook precreate` for containers with the annotation (oci-hooks(5)). */
export function hookFile(directory: string): FileChange {
  const file = join(directory, NAME)
  const before = readTextFile(file)
  if (before !== undefined && !isOurs(before)) throw foreignEntry(file, 'a hook')
  const script = realpathSync(fileURLToPath(new URL('../../bin/sdbridge.js', import.meta.url)))
  const hook = {
    version: '1.0.0',
    hook: {
      // podman starts it without an environment, so without PATH.
      path: process.execPath,
      args: ['sdbridge', script, ...VERB],
      timeout: 15,
    },
    when: { annotations: { [`^${UNIT_LABEL.replaceAll('.', String.raw`\.`)}$`]: '.' } },
    stages: ['precreate'],
  }
  return { file, before, after: `${JSON.stringify(hook, null, 2)}\n` }
}

/** Its removal; `undefined` if there is none that is ours. */
export function withoutHookFile(directory: string): FileChange | undefined {
  const file = join(directory, NAME)
  const before = readTextFile(file)
  return before !== undefined && isOurs(before) ? { file, before, after: undefined } : undefined
}

const NAME = 'sdbridge.json'
const VERB = ['hook', 'precreate']

function isOurs(text: string): boolean {
  try {
    const args = listIn(objectIn(objectIn(JSON.parse(text) as Json)['hook'])['args'])
    return isDeepStrictEqual(args.slice(-2), VERB)
  } catch {
    return false
  }
}
