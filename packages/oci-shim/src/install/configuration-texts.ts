import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { containerdDropIns } from './containerd-registration.js'
import { type FileChange, readTextFile } from './file-change.js'
import type { InstallOptions } from './install-options.js'

/** What the configurations of all engines say once some changes are made; with the files beside our own, which may have been written under other names. */
export function configurationTexts(
  files: InstallOptions['files'],
  changes: readonly FileChange[],
): string[] {
  const dropIns = containerdDropIns(files.containerd)
  const all = new Set([
    files.docker,
    files.containerd,
    ...(dropIns === undefined ? [] : filesIn(dropIns)),
    ...filesIn(dirname(files.podman)),
    ...filesIn(dirname(files.crio)),
  ])
  return [...all].map((file) => {
    const change = changes.find((each) => each.file === file)
    return (change === undefined ? readTextFile(file) : change.after) ?? ''
  })
}

/** The paths of a directory's files; none if it is not there. */
export function filesIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    return entries.filter((each) => !each.isDirectory()).map(({ name }) => join(directory, name))
  } catch {
    return []
  }
}
