import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { isRoot, PYTHON, UNDER_SANITIZER, works } from '../../../test/support/real-program.js'
import { fixture, run, runFixture } from './program.js'

const canFindChildren = existsSync(`/proc/self/task/${process.pid}/children`)

describe.runIf(canFindChildren)('a reaper of orphans', () => {
  test.concurrent.each([
    ['waits for all orphans of a subreaper, in a loop that sleeps', 'orphans', '200,1,1,1 0\n'],
    ["leaves Node's own children alone", 'own', '200 0\n'],
    ['whose callback throws waits for the others', 'throws', '1,2,3 0\n'],
    ['lives on without a free descriptor', 'exhausted', '1 0\n'],
    ['waits for none after its close', 'close', '4 0\n'],
    ['does not keep the process alive', 'alone', 'last line\n'],
    [
      'is refused in a Worker',
      'worker',
      'orphans are reaped by the main thread: a Worker gets no SIGCHLD\n',
    ],
  ])('%s', async (_what, name, stdout) => {
    const outcome = await runFixture('orphan-reaper.mjs', [name])
    expect(outcome).toEqual({ code: 0, signal: null, stdout, stderr: '' })
  })

  test
    .runIf(works(PYTHON, '--version'))
    .concurrent('leaves a child alone whose first thread ends before the others', async () => {
      const args = ['leader', PYTHON, fixture('leader-ends-first.py')]
      const outcome = await runFixture('orphan-reaper.mjs', args)
      expect(outcome).toEqual({ code: 0, signal: null, stdout: '1,2\n', stderr: '' })
    })

  const canUnshare = isRoot() && works('unshare', '--pid', '--fork', '--mount-proc', 'true')
  test
    .runIf(canUnshare && !UNDER_SANITIZER)
    .concurrent('works as PID 1 of a container', async () => {
      const args = [process.execPath, fixture('orphan-reaper.mjs'), 'init']
      const outcome = await run('unshare', ['--pid', '--fork', '--mount-proc', ...args])
      expect(outcome).toEqual({ code: 4, signal: null, stdout: '5,6 0\n', stderr: '' })
    })
})

test('a subreaper is one until that is taken back, and its children are none', async () => {
  const outcome = await runFixture('orphan-reaper.mjs', ['subreaper'])
  expect(outcome).toEqual({ code: 0, signal: null, stdout: 'false,true,false,false\n', stderr: '' })
})
