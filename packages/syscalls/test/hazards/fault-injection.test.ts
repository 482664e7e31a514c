import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { works } from '../../../../test/support/real-program.js'
import { run } from '../program.js'

const directory = mkdtempSync(join(tmpdir(), 'sdbridge-fail-'))
const library = join(directory, 'fail.so')
// It calls the allocator by glibc's own names.
const glibc = 'glibcVersionRuntime' in (process.report.getReport() as { header: object }).header

// By a path that is no literal: the types of fixtures are not checked.
const { scenarios } = (await import(file('scenarios.mjs'))) as { scenarios: object }

const possible = glibc && works('cc', '--version')
describe.runIf(possible)('each call that fails in turn', { concurrent: true }, () => {
  beforeAll(() => {
    const source = file('fail.c')
    const flags = ['-std=c11', '-O1', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC']
    execFileSync('cc', [...flags, source, '-o', library, '-ldl'])
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  test.each(Object.keys(scenarios))(
    'is an error or is made good, and nothing leaks or hangs, when %s',
    { timeout: 300_000 },
    async (scenario) => {
      // Behind a sanitizer, whose allocator and threads are not made to fail then.
      const preloaded = [process.env['LD_PRELOAD'], library].filter(Boolean).join(':')
      const outcome = await run(process.execPath, [file('inject.mjs'), scenario], {
        env: { ...process.env, LD_PRELOAD: preloaded },
      })
      expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
      const found = JSON.parse(outcome.stdout) as { hits: number; problems: unknown[] }
      expect(found.problems).toEqual([])
      expect(found.hits).toBeGreaterThan(0)
    },
  )
})

function file(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
