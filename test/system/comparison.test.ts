import { beforeAll, describe, expect, inject, test } from 'vitest'
import { changedAnswers, changedVersions } from './comparison/changes.js'
import { observe } from './comparison/observe.js'
import { RIVALS } from './comparison/rivals.js'
import { SCENARIOS } from './comparison/scenarios.js'
import { readSeen, writeSeen, type Seen } from './comparison/seen.js'

// One after the other they would take the better part of an hour.
const LONGEST_RUN_MS = 900_000

const root = inject('missingForContainers').length > 0 ? undefined : inject('newestRoot')
const { SDBRIDGE_COMPARISON, SDBRIDGE_COMPARISON_ONLY } = process.env
const only = SDBRIDGE_COMPARISON_ONLY?.split(',')
const rivals = RIVALS.filter(({ id }) => only?.includes(id) ?? true)

// The reason of a skip was printed by global-setup.ts, which also fails where nothing may be skipped.
describe.skipIf(root === undefined)('what docs/comparison.md says', () => {
  const before = readSeen()
  let seen: Seen

  beforeAll(async () => {
    seen = await observe({ root: root ?? '', rivals, scenarios: SCENARIOS, before })
    // `pnpm comparison`
    if (SDBRIDGE_COMPARISON === 'write')
      await writeSeen({ ...seen, rivals: { ...before.rivals, ...seen.rivals } })
    else
      for (const change of changedVersions(before, seen))
        process.stderr.write(`docs/comparison.md: ${change}\n`)
  }, LONGEST_RUN_MS)

  for (const rival of rivals) {
    test(`of ${rival.title}`, () => {
      expect(changedAnswers(rival, readSeen(), seen)).toBe('')
    })
  }
})
