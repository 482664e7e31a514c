import { type FileChange } from './file-change.js'

/** What a change would do, as diff(1) tells it: one place, with three lines around it. */
export function describeChange({ file, before, after }: FileChange): string {
  const old = linesOf(before)
  const fresh = linesOf(after)
  const start = commonLength(old, fresh)
  const rest = Math.min(old.length, fresh.length) - start
  const end = Math.min(rest, commonLength(old.toReversed(), fresh.toReversed()))
  const lines = [
    `--- ${before === undefined ? '/dev/null' : file}`,
    `+++ ${after === undefined ? '/dev/null' : file}`,
    ...old.slice(Math.max(0, start - AROUND), start).map((line) => ` ${line}`),
    ...old.slice(start, old.length - end).map((line) => `-${line}`),
    ...fresh.slice(start, fresh.length - end).map((line) => `+${line}`),
    ...old
      .slice(old.length - end)
      .slice(0, AROUND)
      .map((line) => ` ${line}`),
  ]
  return `${lines.join('\n')}\n`
}

const AROUND = 3

function linesOf(text: string | undefined): string[] {
  if (text === undefined || text === '') return []
  return text.replace(/\n$/, '').split('\n')
}

function commonLength(one: readonly string[], other: readonly string[]): number {
  const different = one.findIndex((line, index) => line !== other[index])
  return different === -1 ? one.length : different
}
