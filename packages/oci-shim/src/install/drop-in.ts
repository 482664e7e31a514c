import { type FileChange, readTextFile } from './file-change.js'
import { foreignEntry } from './registration.js'

const MARK =
  '# Written by sdbridge runtime install, which writes it anew; sdbridge runtime uninstall removes it.\n'

/** A file of our own among those of an engine. @throws BridgeError if there is one that is not. */
export function dropIn(file: string, body: string): FileChange {
  const before = readTextFile(file)
  if (before !== undefined && !before.startsWith(MARK)) throw foreignEntry(file, 'a text')
  return { file, before, after: MARK + body }
}

/** Its removal; `undefined` if there is none that is ours. */
export function withoutDropIn(file: string): FileChange | undefined {
  const before = readTextFile(file)
  return before?.startsWith(MARK) === true ? { file, before, after: undefined } : undefined
}
