import { dropIn } from './drop-in.js'
import type { FileChange } from './file-change.js'
import type { Registration } from './registration.js'

/** Names a runtime to podman (containers.conf(5), `[engine.runtimes]`), which reads it at every call. */
export function registerInPodman({ name, launcher, file }: Registration): FileChange {
  return dropIn(file, `[engine.runtimes]\n${name} = [${JSON.stringify(launcher)}]\n`)
}
