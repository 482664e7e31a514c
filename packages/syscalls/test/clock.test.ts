import { describe, expect, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { monotonicUsec } from '../src/index.js'
import { python, run } from './program.js'

const READ = 'import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)'

describe('the monotonic clock', () => {
  test('is the one of process.hrtime, in microseconds', () => {
    const before = process.hrtime.bigint() / 1000n
    const now = monotonicUsec()
    const after = process.hrtime.bigint() / 1000n
    expect(now >= before && now <= after).toBe(true)
  })

  test.runIf(works(PYTHON, '-c', ''))('is the one of other processes', () => {
    const before = monotonicUsec()
    const theirs = BigInt(python(READ))
    const after = monotonicUsec()
    expect(theirs >= before && theirs <= after).toBe(true)
  })

  const canUnshare = isRoot() && works('unshare', '--time', '--monotonic', '1', '--fork', 'true')
  test.runIf(canUnshare)('is that of our time namespace', async () => {
    const index = JSON.stringify(new URL('../dist/index.js', import.meta.url).href)
    const read = `import(${index}).then((s) => console.log(String(s.monotonicUsec())))`
    const namespace = ['--time', '--monotonic', '1000', '--fork']
    const before = monotonicUsec()
    const outcome = await run('unshare', [...namespace, process.execPath, '-e', read])
    const after = monotonicUsec()
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    const theirs = BigInt(outcome.stdout) - 1_000_000_000n
    expect(theirs >= before && theirs <= after).toBe(true)
  })
})
