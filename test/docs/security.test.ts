import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { claimsOf } from './claims.js'
import { testTitles } from './test-titles.js'

const ROOT = new URL('../../', import.meta.url)
const claims = claimsOf(readFileSync(new URL('SECURITY.md', ROOT), 'utf8'))

test('what a hostile container cannot do, and what it can, is in SECURITY.md', () => {
  const tables = new Set(claims.map(({ table }) => table))
  expect([...tables]).toEqual(['A hostile container cannot', 'A hostile container can'])
})

test.each(claims)('a test is there for: $table $claim', ({ rest, tests }) => {
  expect(rest, 'what is no [file](path) `title`').toBe('')
  expect(tests, 'its tests').not.toEqual([])
  for (const { file, title } of tests) {
    expect(existsSync(new URL(file, ROOT)), `SECURITY.md names ${file}, which is not there`).toBe(
      true,
    )
    const titles = testTitles(readFileSync(new URL(file, ROOT), 'utf8'))
    expect(titles, `SECURITY.md names a test that is not in ${file}: '${title}'`).toContain(title)
  }
})
