import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  closeFd,
  closeForeignFds,
  duplicateFd,
  isCloexec,
  isNonBlocking,
  isSameDescription,
  pidfdId,
  pidfdOpen,
  setCloexec,
  setNonBlocking,
} from '../src/index.js'
import { openSocket } from './inbox.js'
import { isOpen } from './open-fds.js'
import { runFixture } from './program.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

/** A number that is no descriptor of this process. */
function closedFd(): number {
  const fd = openSync('/dev/null', 'r')
  closeSync(fd)
  return fd
}

describe('a pipe', () => {
  test('carries bytes, and ends when its writing end is closed', () => {
    const ends = new TestPipe()
    const { readFd, writeFd } = ends
    const buffer = Buffer.alloc(10)
    expect(() => readSync(readFd, buffer)).toThrow(expect.objectContaining({ code: 'EAGAIN' }))
    writeSync(writeFd, 'abc')
    expect(readSync(readFd, buffer)).toBe(3)
    ends.closeWrite()
    expect(readSync(readFd, buffer)).toBe(0)
  })

  test('is close-on-exec and non-blocking at both ends', () => {
    const { readFd, writeFd } = new TestPipe()
    const fds = [readFd, writeFd]
    expect(fds.map(isCloexec)).toEqual([true, true])
    expect(fds.map(isNonBlocking)).toEqual([true, true])
  })
})

describe('a duplicate', () => {
  test('is the same open file, close-on-exec, and stays when the first is closed', () => {
    const ends = new TestPipe()
    setCloexec(ends.readFd, false)
    const duplicate = duplicateFd(ends.readFd)
    onTestFinished(() => closeFd(duplicate))
    expect(isSameDescription(duplicate, ends.readFd)).not.toBe(false)
    expect([isCloexec(duplicate), isCloexec(ends.readFd)]).toEqual([true, false])
    ends.closeRead()
    writeSync(ends.writeFd, 'abc')
    expect(readSync(duplicate, Buffer.alloc(10))).toBe(3)
  })

  test('has the lowest free number, but never that of a standard stream', async () => {
    const outcome = await runFixture('duplicate-without-streams.mjs')
    expect(outcome).toEqual({ code: 0, signal: null, stdout: '', stderr: '' })
  })
})

describe('a flag', () => {
  test('of closing at exec is set and cleared for one descriptor', () => {
    const { readFd, writeFd } = new TestPipe()
    setCloexec(readFd, false)
    setCloexec(readFd, false)
    expect([readFd, writeFd].map(isCloexec)).toEqual([false, true])
    setCloexec(readFd, true)
    expect(isCloexec(readFd)).toBe(true)
  })

  test('of not blocking is set and cleared, and leaves the other flags alone', () => {
    const { writeFd } = new TestPipe()
    setNonBlocking(writeFd, false)
    expect(isNonBlocking(writeFd)).toBe(false)
    // O_WRONLY is 1: the access mode is among the same bits.
    expect(readFileSync(`/proc/self/fdinfo/${writeFd}`, 'utf8')).toMatch(/^flags:\t0\d*1$/m)
    setNonBlocking(writeFd, true)
    expect(isNonBlocking(writeFd)).toBe(true)
  })
})

describe('a pidfd', () => {
  test('has the id of its process, whoever opened it', () => {
    const child = spawn('sleep', ['60'])
    onTestFinished(() => void child.kill())
    const pids = [process.pid, process.pid, child.pid!]
    const ids = pids.map((pid) => {
      const pidfd = pidfdOpen(pid)
      try {
        expect(isCloexec(pidfd)).toBe(true)
        return pidfdId(pidfd)
      } finally {
        closeFd(pidfd)
      }
    })
    // Before Linux 6.9 there are none.
    if (ids[0] === undefined) return
    expect(ids[0]).toBe(ids[1])
    expect(ids[0]).not.toBe(ids[2])
  })

  test('is not had of a process that does not exist', () => {
    expect(() => pidfdOpen(0x7fff_fffe)).toThrow(
      expect.objectContaining({
        code: 'ESRCH',
        syscall: 'pidfd_open',
        message: "ESRCH: no such process, pidfd_open 'pid 2147483646'",
      }),
    )
  })

  test('is something else than other descriptors, which have no id', () => {
    expect(pidfdId(new TestPipe().readFd)).toBeUndefined()
  })
})

test.each<[string, string, (fd: number) => unknown]>([
  ['closeFd', 'close', closeFd],
  ['duplicateFd', 'fcntl', duplicateFd],
  ['isCloexec', 'fcntl', isCloexec],
  ['setCloexec', 'fcntl', (fd) => setCloexec(fd, true)],
  ['isNonBlocking', 'fcntl', isNonBlocking],
  ['setNonBlocking', 'fcntl', (fd) => setNonBlocking(fd, true)],
  ['pidfdId', 'fstatfs', pidfdId],
])('%s of a descriptor that is not open throws EBADF', (_name, syscall, call) => {
  for (const fd of [closedFd(), -1]) {
    expect(() => call(fd)).toThrow(expect.objectContaining({ code: 'EBADF', errno: -9, syscall }))
  }
})

test.each([Number.NaN, 1.5, 2 ** 40, '1', undefined, null])('%s is no descriptor', (wrong) => {
  const fd = wrong as number
  for (const call of [closeFd, duplicateFd, isCloexec, isNonBlocking, pidfdOpen, pidfdId]) {
    expect(() => call(fd)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
  }
  // 0, which Int32Array would make of most of these, must stay open.
  expect(() => closeForeignFds([fd])).toThrow(TypeError)
  expect(isOpen(0)).toBe(true)
})

test('closing the number of a closed socket does not make it close another at the end', () => {
  const socket = openSocket()
  closeFd(socket.fd)
  expect(() => socket.trySend(Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'EBADF' }))
})
