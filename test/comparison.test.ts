import { describe, expect, test } from 'vitest'
import { changedAnswers } from './system/comparison/changes.js'
import { DOCUMENT, documentOf } from './system/comparison/document.js'
import { Gathering } from './system/comparison/gathering.js'
import { RIVALS, type Rival } from './system/comparison/rivals.js'
import { SCENARIOS, type Scenario } from './system/comparison/scenarios.js'
import { readSeen, type Seen } from './system/comparison/seen.js'

// With -u it is written: `pnpm comparison` does that.
test('docs/comparison.md is what was seen', async () => {
  await expect(await documentOf(readSeen(), RIVALS, SCENARIOS)).toMatchFileSnapshot(DOCUMENT)
})

test('what was seen is of rivals and scenarios that are there', () => {
  const { rivals } = readSeen()
  expect(Object.keys(rivals).toSorted()).toEqual(RIVALS.map(({ id }) => id).toSorted())
  for (const answers of Object.values(rivals))
    expect(Object.keys(answers).toSorted()).toEqual(SCENARIOS.map(({ id }) => id).toSorted())
})

describe('the page', () => {
  const rivals = ['one', 'other'].map(rivalOf)
  const scenarios = [
    {
      id: 'status',
      title: 'STATUS= after READY=1',
      how: 'It is looked at.',
      observe: () => Promise.reject(new Error('not here')),
    },
  ] satisfies Scenario[]

  test('has one line for those of whom the same was seen', async () => {
    const page = await documentOf(
      seenOf({ answer: 'yes', fact: 'shown' }, { answer: 'yes', fact: 'shown' }),
      rivals,
      scenarios,
    )
    expect(page).toMatch(/^\| yes +\| shown +\| the one; the other +\|$/m)
    expect(page).toMatch(
      /^\| \[STATUS= after READY=1\]\(#status-after-ready1\) +\| yes +\| yes +\|$/m,
    )
  })

  test('has a line for each thing that was seen', async () => {
    const page = await documentOf(
      seenOf({ answer: 'partly', fact: 'a | b' }, { answer: 'none', fact: 'not asked' }),
      rivals,
      scenarios,
    )
    expect(page).toMatch(/^\| partly +\| a \\\| b +\| the one +\|$/m)
    expect(page).toMatch(/^\| – +\| not asked +\| the other +\|$/m)
  })

  test('shows the unit files and names the versions', async () => {
    const page = await documentOf(
      seenOf({ answer: 'yes', fact: 'shown' }, { answer: 'no', fact: 'not shown' }),
      rivals,
      scenarios,
    )
    expect(page).toContain('With runc 1.3.6. By itself.\n\n```ini\nExecStart=one web\n```')
    expect(page).toMatch(/^\| runc +\| 1.3.6 +\|$/m)
  })

  test('is not made of what was not seen', async () => {
    const seen = seenOf({ answer: 'yes', fact: 'shown' }, { answer: 'yes', fact: 'shown' })
    delete seen.rivals['other']!['status']
    await expect(documentOf(seen, rivals, scenarios)).rejects.toThrow(
      'nothing was seen of the other in “STATUS= after READY=1”: run pnpm comparison',
    )
  })
})

describe('what has changed', () => {
  const shown = { answer: 'yes', fact: 'shown' } as const
  const lost = { answer: 'no', fact: 'not shown' } as const

  test('is nothing where the same is seen', () => {
    expect(changedAnswers(rivalOf('one'), seenOf(shown, shown), seenOf(shown, lost))).toBe('')
  })

  test('is told of a rival, with the versions and what to do', () => {
    const now = seenOf(shown, lost)
    now.versions.runc = '1.4.0'
    expect(changedAnswers(rivalOf('other'), seenOf(shown, shown), now)).toBe(
      `the other:
status: expected yes, shown; found no, not shown
runc was 1.3.6 and is 1.4.0
A rival has changed, and docs/comparison.md is out of date: run pnpm comparison again.`,
    )
  })

  test('is a defect where it is of sdbridge', () => {
    const [before, now] = [shown, lost].map((answer) => {
      const { versions } = seenOf(shown, shown)
      return { versions, rivals: { 'sdbridge-runc': { status: answer } } }
    })
    expect(changedAnswers(rivalOf('sdbridge-runc'), before!, now!)).toContain(
      'sdbridge does something else than docs/comparison.md says.',
    )
  })
})

describe('a gathering', () => {
  test('makes it happen once, around what all of them do', async () => {
    const gathering = new Gathering(2)
    const log: string[] = []
    const around = async (action: () => Promise<void>) => {
      log.push('before')
      await action()
      log.push('after')
    }
    const one = gathering.meanwhile(around, async () => log.push('one'))
    expect(log).toEqual([])
    const other = gathering.meanwhile(around, async () => log.push('other'))
    await Promise.all([one, other])
    expect(log).toEqual(['before', 'one', 'other', 'after'])
  })

  test('does not wait for one who will not come', async () => {
    const gathering = new Gathering(2)
    const one = gathering.meanwhile(
      (action) => action(),
      async () => 'done',
    )
    gathering.leave()
    expect(await one).toBe('done')
  })

  test('tells each what went wrong with its own', async () => {
    const gathering = new Gathering(2)
    const around = (action: () => Promise<void>) => action()
    const one = gathering.meanwhile(around, () => Promise.reject(new Error('broken')))
    const other = gathering.meanwhile(around, async () => 'done')
    await expect(one).rejects.toThrow('broken')
    expect(await other).toBe('done')
  })
})

function rivalOf(id: string): Rival {
  return {
    id,
    title: `the ${id}`,
    programs: ['runc'],
    beside: 'By itself.',
    settings: ({ name }) => `ExecStart=${id} ${name}\n`,
  }
}

type Answer = Seen['rivals'][string][string]

function seenOf(one: Answer, other: Answer): Seen {
  const versions = { runc: '1.3.6' } as Seen['versions']
  return { versions, rivals: { one: { status: one }, other: { status: other } } }
}
