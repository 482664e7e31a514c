import { beforeAll, describe, expect, inject, test } from 'vitest'
import { observe } from './comparison/observe.js'
import { RIVALS } from './comparison/rivals.js'
import { SCENARIOS } from './comparison/scenarios.js'
import { readSeen, writeSeen, type Seen } from './comparison/seen.js'

const root = inject('missingForContainers').length > 0 ? undefined : inject('newestRoot')
const isWritten = process.env['SDBRIDGE_COMPARISON'] === 'write'

describe.skipIf(root === undefined)('beside its rivals', () => {
  let seen: Seen

  beforeAll(async () => {
    const chosen = (process.env['SDBRIDGE_COMPARISON_RIVALS'] ?? '').split(',').filter(Boolean)
    const rivals = RIVALS.filter(({ id }) => chosen.length === 0 || chosen.includes(id))
    const some = (process.env['SDBRIDGE_COMPARISON_SCENARIOS'] ?? '').split(',').filter(Boolean)
    const scenarios = SCENARIOS.filter(({ id }) => some.length === 0 || some.includes(id))
    const start = performance.now()
    seen = await observe({ root: root ?? '', rivals, scenarios, before: readSeen() })
    console.error(performance.now() - start)
    for (const [rival, answers] of Object.entries(seen.rivals))
      for (const [id, { answer, fact }] of Object.entries(answers)) console.error(`${rival}\t${id}\t${answer}\t${fact}`)
    if (isWritten) await writeSeen(seen)
  }, 1_200_000)

  test.each(RIVALS)('$title', ({ id }) => {
    expect(seen.rivals[id]).toEqual(readSeen().rivals[id])
  })
})
