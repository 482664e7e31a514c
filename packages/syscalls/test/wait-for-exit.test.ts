import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON, UNDER_SANITIZER, works } from '../../../test/support/real-program.js'
import { closeFd, pidfdOpen, sendSignal, waitForExit } from '../src/index.js'
import { until } from './inbox.js'
import { openFds } from './open-fds.js'
import { fixture, runFixture } from './program.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

/** A process of which Node knows nothing, and that is not our child: it sleeps until its end is wanted. */
function startStranger(): number {
  const pid = Number(execFileSync('sh', ['-c', 'sleep 600 >/dev/null 2>&1 & echo $!']))
  onTestFinished(() => {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended already.
    }
  })
  return pid
}

function openPidfd(pid: number): number {
  const pidfd = pidfdOpen(pid)
  onTestFinished(() => closeFd(pidfd))
  return pidfd
}

function startChild(script: string): ChildProcess {
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

describe.runIf(works(PYTHON, '--version'))('a child that nobody else waits for', () => {
  test('tells its codes and signals, once, and is a zombie until that', async () => {
    const outcome = await runFixture('wait-for-exit.mjs', ['statuses'])
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(JSON.parse(outcome.stdout)).toEqual({
      'exit 0': { code: 0, signal: null },
      'exit 3': { code: 3, signal: null },
      'exit 255': { code: 255, signal: null },
      'kill -TERM $$': { code: null, signal: 'SIGTERM' },
      'kill -KILL $$': { code: null, signal: 'SIGKILL' },
      'kill -ABRT $$': { code: null, signal: 'SIGABRT' },
      'kill -37 $$': { code: null, signal: 'SIGRTMIN+3' },
    })
  })

  test.skipIf(UNDER_SANITIZER)('and that leaves a core tells its signal', async () => {
    const outcome = await runFixture('wait-for-exit.mjs', ['core', PYTHON])
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(JSON.parse(outcome.stdout)).toEqual({ code: null, signal: 'SIGSEGV' })
  })

  test('is one of two hundred that end at once', async () => {
    const outcome = await runFixture('wait-for-exit.mjs', ['many'])
    expect(outcome).toEqual({ code: 0, signal: null, stdout: '200 of 200\n', stderr: '' })
  })
})

describe("Node's own child", () => {
  test('keeps its exit event', async () => {
    const child = startChild('read line; exit 5')
    const exit = once(child, 'exit')
    const waiting = waitForExit(openPidfd(child.pid!))
    child.stdin!.end('\n')
    const status = await waiting
    // Node may have been there first.
    if (status !== undefined) expect(status).toEqual({ pid: child.pid, code: 5, signal: null })
    expect(await exit).toEqual([5, null])
  })

  test('has ended before anybody waits: nothing is known of it', async () => {
    const child = startChild('read line; exit 5')
    const pidfd = openPidfd(child.pid!)
    child.stdin!.end('\n')
    await once(child, 'exit')
    expect(await waitForExit(pidfd)).toBeUndefined()
  })
})

test('the end of another process is heard, but not how it ended', async () => {
  const pidfd = openPidfd(startStranger())
  const waiting = waitForExit(pidfd, { reap: true })
  let ended = false
  void waiting.then(() => (ended = true))
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setTimeout(resolve, 1))
  expect(ended).toBe(false)
  sendSignal(pidfd, 'SIGTERM')
  expect(await waiting).toBeUndefined()
})

describe('waiting', () => {
  test('is given up with the reason of the signal, and can begin again', async () => {
    const pidfd = openPidfd(startStranger())
    const controller = new AbortController()
    const waiting = waitForExit(pidfd, { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)

    const again = waitForExit(pidfd, { signal: new AbortController().signal })
    sendSignal(pidfd, 'SIGKILL')
    await again
  })

  test('does not begin after that', async () => {
    const pidfd = openPidfd(startStranger())
    await expect(waitForExit(pidfd, { signal: AbortSignal.abort() })).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }),
    )
    // Nobody watches the descriptor.
    const waiting = waitForExit(pidfd)
    sendSignal(pidfd, 'SIGKILL')
    await waiting
  })

  test('leaves no listener on the signal', async () => {
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args))
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (
      listeners--,
      remove(...args)
    )
    const pidfd = openPidfd(startStranger())
    const waiting = waitForExit(pidfd, { signal })
    expect(listeners).toBe(1)
    sendSignal(pidfd, 'SIGKILL')
    await waiting
    expect(listeners).toBe(0)
  })

  test('is for one at a time', async () => {
    const pidfd = openPidfd(startStranger())
    const first = waitForExit(pidfd)
    await expect(waitForExit(pidfd)).rejects.toThrow(expect.objectContaining({ code: 'EEXIST' }))
    sendSignal(pidfd, 'SIGKILL')
    expect(await first).toBeUndefined()
  })

  test('for a descriptor that is not open fails', async () => {
    const pidfd = pidfdOpen(process.pid)
    closeFd(pidfd)
    for (let round = 0; round < 2; round++) {
      await expect(waitForExit(pidfd)).rejects.toThrow(expect.objectContaining({ code: 'EBADF' }))
    }
  })

  test('for a descriptor that is no pidfd fails when it is ready', async () => {
    const ends = new TestPipe()
    const waiting = waitForExit(ends.readFd)
    ends.closeWrite()
    await expect(waiting).rejects.toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'waitid' }),
    )
  })

  test('leaves no descriptor open', async () => {
    const before = openFds()
    for (let round = 0; round < 5; round++) {
      const pidfd = pidfdOpen(startStranger())
      sendSignal(pidfd, 'SIGKILL')
      await waitForExit(pidfd)
      closeFd(pidfd)
    }
    expect(openFds()).toEqual(before)
  })
})

test('a process ends for its watcher only with its last thread', async () => {
  if (!works(PYTHON, '--version')) return
  const child = spawn(PYTHON, [fixture('leader-ends-first.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  const stat = (): string => readFileSync(`/proc/${child.pid}/stat`, 'latin1')
  await until(() => / Z /.test(stat()))
  const exit = once(child, 'exit')
  let ended = false
  const waiting = waitForExit(openPidfd(child.pid!)).then(() => (ended = true))
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setTimeout(resolve, 1))
  expect(ended).toBe(false)
  child.stdin.end('\n')
  await waiting
  await exit
})
