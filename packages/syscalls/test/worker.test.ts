import { expect, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { fixture, runFixture } from './program.js'

test.each<[string, number]>([
  ['idle', 20],
  ['flooded', 50],
  ['busy', 20],
  ['paused', 20],
  ['unread', 20],
  ['waiting for room', 20],
  ['connected', 50],
  ['adopted', 20],
  ...(works(PYTHON, '-c', 'import ctypes; ctypes.CDLL(None).mq_open')
    ? [['queued', 20] as [string, number]]
    : []),
])(
  'Workers that are terminated while their sockets are %s leave nothing behind (%i of them)',
  async (state, workers) => {
    const outcome = await runFixture('end-workers.mjs', [state, `${workers}`])
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(JSON.parse(outcome.stdout)).toEqual({ workers, left: [], mainStillReceives: true })
  },
)

test('a Worker whose handler throws ends with that error, and the process goes on', async () => {
  const outcome = await runFixture('end-workers.mjs', ['throwing', '20'])
  expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
  expect(JSON.parse(outcome.stdout)).toEqual({ workers: 20, left: [], mainStillReceives: true })
})

test('a process that exits ends, although Workers receive', async () => {
  const outcome = await runFixture('end-workers.mjs', ['idle', '20', 'exit'])
  expect(outcome).toEqual({ code: 9, signal: null, stdout: '', stderr: '' })
})

test.runIf(works(PYTHON, '--version'))(
  'the addon outlives the Worker that loaded it first and left a close that still blocks',
  async () => {
    const outcome = await runFixture('worker-loads-first.mjs', [PYTHON, fixture('linger.py')])
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(outcome.stdout).toBe('free\nreceived after the worker\nend\n')
  },
)
