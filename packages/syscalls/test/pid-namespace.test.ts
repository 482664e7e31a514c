import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, works } from '../../../test/support/real-program.js'
import { closeFd, openPidNamespace, pidFromNamespace, pidInNamespace } from '../src/index.js'
import { pidSeenFrom, searchPid } from '../src/pid-namespace.js'
import { until } from './inbox.js'
import { openFds } from './open-fds.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

/** Both ways to the same: the kernel's own translation, and what is there before Linux 6.11. */
const WAYS = [
  ['by the kernel', pidFromNamespace, pidInNamespace],
  ['by search', searchPid, pidSeenFrom],
] as const

function namespaceOf(pid: number): number {
  const fd = openPidNamespace(pid)
  onTestFinished(() => closeFd(fd))
  return fd
}

function listed(pid: number): number[] {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return /^NSpid:\t(.*)$/m.exec(status)![1]!.split('\t').map(Number)
}

/** The first child, as soon as there is one. */
async function childOf(pid: number): Promise<number> {
  let children = ''
  await until(() => {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    return children !== ''
  })
  return Number(children.split(' ')[0])
}

describe.each(WAYS)('in our own pid namespace, %s,', (_way, from, into) => {
  test('pids are what they are', () => {
    const own = namespaceOf(process.pid)
    for (const pid of [process.pid, process.ppid]) {
      expect(from(own, pid)).toBe(pid)
      expect(into(own, pid)).toBe(pid)
    }
  })

  test('there is no process of a number that none has', () => {
    const own = namespaceOf(process.pid)
    for (const pid of [0, -1, 0x7fff_fffe]) {
      expect(from(own, pid)).toBeUndefined()
      expect(into(own, pid)).toBeUndefined()
    }
  })
})

const canUnshare = isRoot() && works('unshare', '--pid', '--fork', 'true')
describe.runIf(canUnshare)('with a pid namespace in another one, and one beside it', () => {
  /** Our numbers for PID 1 of each, and of another process in the innermost. */
  let outer: number, inner: number, deep: number, sibling: number
  const ends: (() => void)[] = []

  async function start(...command: string[]): Promise<number> {
    const child = spawn('unshare', ['--pid', '--fork', ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    ends.push(() => child.kill('SIGKILL'))
    // Ends by itself with its input.
    await once(createInterface(child.stdout), 'line')
    return await childOf(child.pid!)
  }

  beforeAll(async () => {
    const innermost = ['sh', '-c', 'echo ready; cat; :']
    outer = await start('--kill-child', 'unshare', '--pid', '--fork', '--kill-child', ...innermost)
    inner = await childOf(outer)
    deep = await childOf(inner)
    sibling = await start('--kill-child', 'sh', '-c', 'echo ready; cat; :')
  })
  afterAll(() => ends.forEach((end) => end()))

  test.each(WAYS)('each process has its number in each, %s', (_way, from, into) => {
    const namespaces = [process.pid, outer, inner].map(namespaceOf)
    for (const pid of [outer, inner, deep]) {
      const numbers = listed(pid)
      for (const [level, namespace] of namespaces.entries()) {
        expect(into(namespace, pid)).toBe(numbers[level])
        if (numbers[level] !== undefined) expect(from(namespace, numbers[level])).toBe(pid)
      }
    }
    expect(listed(outer)).toEqual([outer, 1])
    expect(listed(inner)).toEqual([inner, expect.any(Number), 1])
    expect(listed(deep)).toHaveLength(3)
  })

  test.each(WAYS)('none is in a namespace that is not its own or above, %s', (_way, from, into) => {
    const [outside, inside, beside] = [outer, inner, sibling].map(namespaceOf)
    expect(into(outside!, process.pid)).toBeUndefined()
    expect(into(inside!, outer)).toBeUndefined()
    expect(into(beside!, inner)).toBeUndefined()
    expect(into(outside!, sibling)).toBeUndefined()
    expect(from(beside!, 1)).toBe(sibling)
    expect(from(outside!, 99_999)).toBeUndefined()
  })

  test('no descriptor is left open', () => {
    const namespace = namespaceOf(inner)
    const before = openFds()
    for (const [, from, into] of WAYS) {
      for (const pid of [1, 99_999]) from(namespace, pid)
      for (const pid of [inner, deep, process.pid, 0x7fff_fffe]) into(namespace, pid)
    }
    expect(openFds()).toEqual(before)
  })

  test('the descriptor is that of the namespace', () => {
    const fd = namespaceOf(inner)
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(readlinkSync(`/proc/${inner}/ns/pid`))
  })
})

test.each(['/proc/self/ns/net', '/proc/self/ns/user', '/dev/null', '/etc/passwd', '/'])(
  '%s is no pid namespace',
  (path) => {
    const fd = openSync(path, 'r')
    onTestFinished(() => closeSync(fd))
    const before = openFds()
    for (const translate of [pidFromNamespace, pidInNamespace]) {
      expect(() => translate(fd, process.pid)).toThrow(
        expect.objectContaining({
          syscall: 'ioctl',
          code: expect.stringMatching(/^(EINVAL|ENOTTY)$/),
        }),
      )
    }
    expect(openFds()).toEqual(before)
  },
)

test('a pipe is no pid namespace, nor is what is not open', () => {
  const { readFd } = new TestPipe()
  expect(() => pidFromNamespace(readFd, 1)).toThrow(expect.objectContaining({ syscall: 'ioctl' }))
  expect(() => pidInNamespace(99_999, 1)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

test('a process that does not exist has no namespace', () => {
  expect(() => openPidNamespace(0x7fff_fffe)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})
