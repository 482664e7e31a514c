import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { closeFd, pidfdOpen, pidfdPid, sendSignal, type Signal } from '../src/index.js'
import { run } from './program.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

function openPidfd(pid: number): number {
  const pidfd = pidfdOpen(pid)
  onTestFinished(() => closeFd(pidfd))
  return pidfd
}

function startChild(command: string, ...args: string[]) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

describe('the pid of a pidfd', () => {
  test.each([
    ['this process', process.pid],
    ['its parent', process.ppid],
    ['PID 1', 1],
  ])('of %s', (_which, pid) => {
    expect(pidfdPid(openPidfd(pid))).toBe(pid)
  })

  test('of a child stays, and is gone when the child has ended and was waited for', async () => {
    const child = startChild('cat')
    const pidfd = openPidfd(child.pid!)
    expect(pidfdPid(pidfd)).toBe(child.pid)
    child.stdin.end()
    await once(child, 'exit')
    expect(pidfdPid(pidfd)).toBeUndefined()
  })

  const canUnshare =
    isRoot() &&
    works(PYTHON, '--version') &&
    works('unshare', '--pid', '--fork', '--mount-proc', 'true')
  test.runIf(canUnshare)('of a process outside our namespace is not known there', async () => {
    // The descriptor comes from outside, as a manager may hand one over.
    const index = new URL('../dist/index.js', import.meta.url).href
    const look = `import(${JSON.stringify(index)}).then(({ pidfdPid }) => console.log(pidfdPid(9)))`
    const open = `import os, sys
pidfd = os.pidfd_open(os.getpid())
os.dup2(pidfd, 9)
os.execvp(sys.argv[1], sys.argv[1:])`
    const command = ['unshare', '--pid', '--fork', '--mount-proc', process.execPath, '-e', look]
    const outcome = await run(PYTHON, ['-c', open, ...command])
    expect(outcome).toMatchObject({ code: 0, stdout: 'undefined\n', stderr: '' })
  })

  test.each(['/dev/null', '/proc/self/status', '/proc/self/ns/pid'])('is none of %s', (path) => {
    const fd = openSync(path, 'r')
    onTestFinished(() => closeSync(fd))
    expect(() => pidfdPid(fd)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: `descriptor ${fd} is no pidfd`,
      }),
    )
  })

  test('is none of a pipe', () => {
    expect(() => pidfdPid(new TestPipe().readFd)).toThrow(TypeError)
  })
})

describe('a signal to a pidfd', () => {
  test.each<[Signal, number]>([
    ['SIGTERM', 15],
    ['SIGUSR1', 10],
    ['SIGRTMIN+3', 37],
    ['SIGRTMAX', 64],
    [9, 9],
  ])('%s arrives', async (signal, number) => {
    const child = startChild('sh', '-c', 'echo ready; read line')
    await once(child.stdout, 'data')
    const pidfd = openPidfd(child.pid!)
    sendSignal(pidfd, 0)
    // libuv waits for it; by way of a shell the number is told.
    const shell = startChild('sh', '-c', 'sh -c "echo \\$\\$; read line"; echo $(($? - 128))')
    const [pid] = (await once(shell.stdout, 'data')) as [Buffer]
    sendSignal(openPidfd(Number(pid)), signal)
    const [end] = (await once(shell.stdout, 'data')) as [Buffer]
    expect(`${end}`).toBe(`${number}\n`)
    expect(child.exitCode).toBeNull()
  })

  test('of an ended process does nothing, and fails when it was waited for', async () => {
    const child = startChild('cat')
    const pidfd = openPidfd(child.pid!)
    child.stdin.end()
    await once(child, 'exit')
    for (const signal of ['SIGTERM', 'SIGRTMIN+3', 0] as const) {
      expect(() => sendSignal(pidfd, signal)).toThrow(
        expect.objectContaining({ code: 'ESRCH', syscall: 'pidfd_send_signal' }),
      )
    }
  })

  test('that is none fails before', () => {
    const pidfd = openPidfd(process.pid)
    expect(() => sendSignal(pidfd, 'SIGNONE' as Signal)).toThrow(TypeError)
    expect(() => sendSignal(pidfd, 65)).toThrow(TypeError)
  })

  test('to another descriptor fails', () => {
    const { readFd } = new TestPipe()
    expect(() => sendSignal(readFd, 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(() => sendSignal(99_999, 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })
})
