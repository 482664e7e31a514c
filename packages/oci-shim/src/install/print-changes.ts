import { writeSync } from 'node:fs'
import { applyChanges, type FileChange, isDue } from './file-change.js'
import { describeChange } from './text-difference.js'

/** Makes changes and says so, or says what they would be. @returns Whether there was anything to do. */
export function printChanges(changes: readonly FileChange[], isDryRun: boolean): boolean {
  const due = changes.filter(isDue)
  if (!isDryRun) applyChanges(changes)
  const lines = changes.map((change) => {
    if (!due.includes(change)) return `${change.file} is as it should be\n`
    return isDryRun ? describeChange(change) : `${verbOf(change)} ${change.file}\n`
  })
  writeSync(1, lines.join(''))
  return due.length > 0
}

function verbOf({ before, after }: FileChange): string {
  if (after === undefined) return 'removed'
  return before === undefined ? 'wrote' : 'changed'
}
