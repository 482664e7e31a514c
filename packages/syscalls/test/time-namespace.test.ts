import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { monotonicOffset } from '../src/index.js'
import { run } from './program.js'

const CLOCK = `
import os, sys, time
print(os.getpid(), flush=True)
while sys.stdin.readline(): print(time.clock_gettime_ns(time.CLOCK_MONOTONIC), flush=True)`

const INDEX = new URL('../dist/index.js', import.meta.url).href

/** A program behind a time namespace that tells its monotonic time when asked to. */
class Clock {
  readonly #child
  readonly #lines
  pid = 0

  constructor(command: readonly string[]) {
    this.#child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
    onTestFinished(() => void this.#child.stdin.end())
  }

  async start(): Promise<this> {
    this.pid = Number((await this.#lines.next()).value)
    return this
  }

  async now(): Promise<bigint> {
    this.#child.stdin.write('\n')
    return BigInt((await this.#lines.next()).value as string)
  }
}

test('there is no offset to this process and to others of the same namespace', () => {
  expect(monotonicOffset(process.pid)).toBe(0n)
  expect(monotonicOffset(process.ppid)).toBe(0n)
})

test('a process that does not exist has none', () => {
  expect(() => monotonicOffset(0x7fff_fffe)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})

const canUnshare =
  isRoot() &&
  works('unshare', '--time', '--monotonic', '1', '--fork', 'true') &&
  works(PYTHON, '-c', '')
describe.runIf(canUnshare)('the time of a process in another time namespace', () => {
  const inside = ['--fork', PYTHON, '-c', CLOCK]

  test.each([
    ['after ours', ['--monotonic', '1000'], -1_000_000_000_000n],
    ['long after ours', ['--monotonic', '31536000'], -31_536_000_000_000_000n],
    ['before ours', ['--monotonic', '-100'], 100_000_000_000n],
    ['ours, with another boot time', ['--boottime', '5000'], 0n],
    [
      'before ours, with another boot time',
      ['--boottime', '5000', '--monotonic', '-7'],
      7_000_000_000n,
    ],
  ])('is %s', async (_what, offsets, expected) => {
    const clock = await new Clock(['unshare', '--time', ...offsets, ...inside]).start()
    const offset = monotonicOffset(clock.pid)!
    expect(offset).toBe(expected)
    // Between two readings of ours.
    const before = process.hrtime.bigint()
    const translated = (await clock.now()) + offset
    const after = process.hrtime.bigint()
    expect(translated >= before && translated <= after).toBe(true)
  })

  test.each([
    ['12 500000000', -12_500_000_000n],
    ['-3 250000000', 2_750_000_000n],
    ['-1 999999999', 1n],
  ])('may differ by parts of a second: %s', async (offset, expected) => {
    const program = `
import ctypes, os, sys
assert ctypes.CDLL(None).unshare(0x80) == 0
open('/proc/self/timens_offsets', 'w').write('monotonic ' + sys.argv[1])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(os.fork() or os.execv(sys.executable, [sys.executable, '-c', sys.argv[2]]), 0)[1]))`
    const clock = await new Clock([PYTHON, '-c', program, offset, CLOCK]).start()
    expect(monotonicOffset(clock.pid)).toBe(expected)
    const before = process.hrtime.bigint()
    const translated = (await clock.now()) + expected
    expect(translated >= before && translated <= process.hrtime.bigint()).toBe(true)
  })

  test('is seen from inside another one', async () => {
    const clock = await new Clock(['unshare', '--time', '--monotonic', '1000', ...inside]).start()
    const look = `import(${JSON.stringify(INDEX)}).then(({ monotonicOffset }) => {
      console.log([${clock.pid}, ${process.pid}, process.pid].map((pid) => monotonicOffset(pid)).join())
    })`
    const args = ['--time', '--monotonic', '300', '--fork', process.execPath, '-e', look]
    const outcome = await run('unshare', args)
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    expect(outcome.stdout).toBe('-700000000000,300000000000,0\n')
  })

  test('is not known of one that has made a namespace for its children only, from a third', async () => {
    // unshare itself stays outside, and PID 1 of what it starts is inside.
    const clock = new Clock(['unshare', '--time', '--monotonic', '1000', ...inside])
    await clock.start()
    const look = `import(${JSON.stringify(INDEX)}).then(({ monotonicOffset }) => {
      console.log(monotonicOffset(process.ppid))
    })`
    const args = ['--time', '--monotonic', '300', '--fork', process.execPath, '-e', look]
    const outcome = await run('unshare', args)
    expect(outcome).toMatchObject({ code: 0, stdout: 'undefined\n', stderr: '' })
  })
})
