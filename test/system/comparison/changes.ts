import type { Rival } from './rivals.js'
import type { Seen } from './seen.js'

/** Which programs have another version than they had, in words; empty if none has. */
export function changedVersions(before: Seen, now: Seen): string[] {
  const was: Record<string, string> = before.versions
  return Object.entries(now.versions)
    .filter(([program, version]) => was[program] !== version)
    .map(([program, version]) => `${program} was ${was[program]} and is ${version}`)
}

/** What is seen of a rival and was not, in words, and what to do about it; empty if nothing has changed. */
export function changedAnswers({ id, title }: Rival, before: Seen, now: Seen): string {
  const was = before.rivals[id] ?? {}
  const changes = Object.entries(now.rivals[id] ?? {})
    .filter(([scenario, answer]) => JSON.stringify(answer) !== JSON.stringify(was[scenario]))
    .map(([scenario, { answer, fact }]) => {
      const known = was[scenario]
      const text = known === undefined ? 'nothing' : `${known.answer}, ${known.fact}`
      return `${scenario}: expected ${text}; found ${answer}, ${fact}`
    })
  if (changes.length === 0) return ''
  return [`${title}:`, ...changes, ...changedVersions(before, now), adviceFor(id)].join('\n')
}

function adviceFor(id: string): string {
  return id.startsWith('sdbridge')
    ? 'sdbridge does something else than docs/comparison.md says.'
    : 'A rival has changed, and docs/comparison.md is out of date: run pnpm comparison again.'
}
