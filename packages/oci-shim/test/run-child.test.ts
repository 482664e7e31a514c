import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import type { Command } from '../dist/engines/launch.js'
import { adoptOrphans } from '../dist/run/adopt-orphans.js'
import { Child } from '../dist/run/child-process.js'
import type { Ending } from '../dist/run/ending.js'
import { startFailure } from '../dist/run/start-failure.js'
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
    const child = await started(script)
    expect(child.hasEnded).toBe(false)
    expect(await child.ended).toEqual(ending)
    expect(child.hasEnded).toBe(true)
    expect(existsSync(`/proc/${child.pid}`)).toBe(false)
  })

  test('of many at once is told of each', async () => {
    const codes = Array.from({ length: 50 }, (_, index) => index)
    const endings = await Promise.all(
      codes.map(async (code) => await (await started(`exit ${code}`)).ended),
    )
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

test('what a program leaves behind is waited for, and the program’s own end is told', async () => {
  adoptOrphans()
  const pidFile = join(temporaryDirectory(), 'pids')
  const child = await started(`for i in 1 2 3; do sleep 0.1 & echo $! >> ${pidFile}; done; exit 5`)
  expect(await child.ended).toEqual({ code: 5 })
  const pids = readFileSync(pidFile, 'utf8').trim().split('\n')
  expect(pids).toHaveLength(3)
  await vi.waitFor(
    () => expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]),
    20_000,
  )
})

describe('a program that cannot be started', () => {
  test.each([
    ['a descriptor', { file: 'true' }, 3, 125, /^cannot start \S+ \(EMFILE\): .*LimitNOFILE=/],
    ['room', { file: 'true', args: ['x'.repeat(4_000_000)] }, 1024, 125, /\(E2BIG\): .*shorten/],
    ['an interpreter', { script: '#!/nonexistent\n' }, 1024, 126, /\(ENOENT\): .*interpreter/],
  ])('for want of %s says so', async (_, command, softFileLimit, exitCode, message) => {
    const { file = join(temporaryDirectory(), 'program'), args = [], script } = command as Program
    if (script !== undefined) writeFileSync(file, script, { mode: 0o755 })
    const options = { env: ENVIRONMENT, fds: [], state: { ...state, softFileLimit } }
    const starting = Child.start({ file, args }, options)
    await expect(starting).rejects.toMatchObject({
      exitCode,
      message: expect.stringMatching(message) as string,
    })
  })

  test.each([
    ['EAGAIN', /TasksMax=/],
    ['ENFILE', /fs\.file-max/],
    ['ENOMEM', /MemoryMax=/],
  ])('for %s is no fault of the program', (code, message) => {
    const failure = startFailure('/bin/x', Object.assign(new Error('spawn'), { code }))
    expect(failure.exitCode).toBe(125)
    expect(failure.message).toMatch(message)
  })
})

interface Program {
  file?: string
  args?: string[]
  /** What the file of the program holds. */
  script?: string
}

async function started(script: string): Promise<Child> {
  return await Child.start(
    { file: 'sh', args: ['-c', script] },
    { env: ENVIRONMENT, fds: [], state },
  )
}

async function endOf(command: Command): Promise<Ending> {
  return await (
    await Child.start(command, { env: ENVIRONMENT, fds: [], state })
  ).ended
}
