import { expect, test } from 'vitest'
import { isRoot } from '../../../test/support/real-program.js'
import { runFixture } from './program.js'

// The C library signals each thread and waits for it. One that blocks its signals is waited for for ever.
test.runIf(isRoot())('a process with our threads can give up its privileges', async () => {
  const outcome = await runFixture('give-up-privileges.mjs', [], { timeout: 20_000 })
  expect(outcome).toEqual({
    code: 0,
    signal: null,
    stdout: 'still receives as 65534\n',
    stderr: '',
  })
})

test('signals reach the program, not our threads', async () => {
  const outcome = await runFixture('signal-itself.mjs', [], { timeout: 20_000 })
  expect(outcome).toEqual({ code: 0, signal: null, stdout: '100 of 100\n', stderr: '' })
})
