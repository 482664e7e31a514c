import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Command } from '../dist/engines/launch.js'
import { Child } from '../dist/run/child-process.js'
import type { Ending } from '../dist/run/ending.js'
import { ENVIRONMENT, SDBRIDGE } from './run/unit.js'

const state = { softFileLimit: 1024, ignoredSignals: [] }

describe('the end of a program', () => {
  test.each([
    ['exit 0', { code: 0 }],
    ['exit 7', { code: 7 }],
    ['kill -KILL $$', { signal: 'SIGKILL' }],
    // Node tells these as the exit code 0.
    ['kill -34 $$', { signal: 'SIGRTMIN' }],
    ['kill -37 $$', { signal: 'SIGRTMIN+3' }],
    ['kill -64 $$', { signal: 'SIGRTMIN+30' }],
  ])('%s is told as it is', async (script, ending) => {
    const child = started(script)
    expect(child.hasEnded).toBe(false)
    expect(await child.ended).toEqual(ending)
    expect(child.hasEnded).toBe(true)
    expect(existsSync(`/proc/${child.pid}`)).toBe(false)
  })

  test('of many at once is told of each', async () => {
    const codes = Array.from({ length: 50 }, (_, index) => index)
    const endings = await Promise.all(codes.map((code) => started(`exit ${code}`).ended))
    expect(endings).toEqual(codes.map((code) => ({ code })))
  })

  test.each([
    ['kill -37 $$', { signal: 'SIGRTMIN+3' }],
    ['kill -TERM $$', { signal: 'SIGTERM' }],
  ])('%s is the end of the bridge', async (script, ending) => {
    const args = [SDBRIDGE, 'run', '--', 'sh', '-c', script]
    expect(await endOf({ file: process.execPath, args })).toEqual(ending)
  })
})

function started(script: string): Child {
  return new Child({ file: 'sh', args: ['-c', script] }, { env: ENVIRONMENT, fds: [], state })
}

function endOf(command: Command): Promise<Ending> {
  return new Child(command, { env: ENVIRONMENT, fds: [], state }).ended
}
