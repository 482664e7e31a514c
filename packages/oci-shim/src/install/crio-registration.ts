import { basename } from 'node:path'
import { dropIn } from './drop-in.js'
import type { FileChange } from './file-change.js'
import type { Registration } from './registration.js'

/**
 * Names a runtime handler to CRI-O (crio.conf(5), `[crio.runtime.runtimes]`). There are no `allowed_annotations`: CRI-O does not start where one of
 * them is not on its own list, and passes on what is not on that list.
 */
export function registerInCrio({ name, launcher, file }: Registration): FileChange {
  return dropIn(
    file,
    `[crio.runtime.runtimes.${name}]
runtime_type = "oci"
runtime_path = ${JSON.stringify(launcher)}
runtime_root = ${JSON.stringify(`/run/${basename(launcher)}`)}
`,
  )
}
