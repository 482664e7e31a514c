import { expect, test } from 'vitest'
import { runFixture } from './program.js'

// Each in a process of its own: what is tested is that it lives on.
test.each([
  ['wrong types', 'types'],
  ['too few arguments', 'missing'],
  ['numbers that are no 32-bit integers', 'numbers'],
  ['descriptors that are not open', 'closed'],
  ['typed arrays of another kind, too short, or detached', 'arrays'],
  ['numbers that no system call knows', 'strange'],
  ['processes, signals and programs', 'processes'],
  ['callbacks and pollers', 'polling'],
  ['wrong options and arguments of the functions around them', 'functions'],
])('%s throw or return an error, and the process lives on', async (_what, group) => {
  const outcome = await runFixture('misuse.mjs', [group])
  expect(outcome).toEqual({ code: 0, signal: null, stdout: 'alive\n', stderr: '' })
})
