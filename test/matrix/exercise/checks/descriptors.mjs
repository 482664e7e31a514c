import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readSync, writeSync } from 'node:fs'
import {
  closeFd,
  closeForeignFds,
  duplicateFd,
  FdWatcher,
  isCloexec,
  isNonBlocking,
  isSameDescription,
  pidfdId,
  pidfdOpen,
  pipe,
  setCloexec,
  setNonBlocking,
} from '@sdbridge/syscalls'
import { pairOf } from '../inbox.mjs'
import { kernelIsFrom } from '../kernel.mjs'

export const descriptors = {
  'a pipe is close-on-exec and non-blocking, and both can be changed'(scope) {
    const { readFd, writeFd } = pipe()
    scope.after(() => [readFd, writeFd].forEach(closeFd))
    for (const fd of [readFd, writeFd]) {
      assert.deepEqual([isCloexec(fd), isNonBlocking(fd)], [true, true])
      setCloexec(fd, false)
      setNonBlocking(fd, false)
      assert.deepEqual([isCloexec(fd), isNonBlocking(fd)], [false, false])
      setCloexec(fd, true)
      assert.deepEqual([isCloexec(fd), isNonBlocking(fd)], [true, false])
    }
    writeSync(writeFd, 'x')
    assert.equal(readSync(readFd, Buffer.alloc(4)), 1)
  },

  'a duplicate of a pipe is close-on-exec and reads the same bytes'(scope) {
    const { readFd, writeFd } = pipe()
    const duplicate = duplicateFd(readFd)
    scope.after(() => [duplicate, writeFd].forEach(closeFd))
    closeFd(readFd)
    assert.equal(isCloexec(duplicate), true)
    writeSync(writeFd, 'xy')
    assert.equal(readSync(duplicate, Buffer.alloc(4)), 2)
    assert.throws(() => duplicateFd(1_000_000), { code: 'EBADF', syscall: 'fcntl' })
  },

  async 'a descriptor that was sent is the same description'(scope) {
    const { readFd, writeFd } = pipe()
    scope.after(() => [readFd, writeFd].forEach(closeFd))
    const { here, there, thereAddress } = pairOf(scope)
    here.socket.trySend(Buffer.from('x'), { address: thereAddress, fds: [readFd] })
    const [sent] = (await there.next()).fds
    scope.after(() => closeFd(sent))
    if (isSameDescription(readFd, sent) === undefined) {
      assert.equal(kernelIsFrom(6, 10), false)
      return
    }
    assert.equal(isSameDescription(readFd, sent), true)
    assert.equal(isSameDescription(writeFd, sent), false)
    assert.throws(() => isSameDescription(readFd, 1_000_000), { code: 'EBADF' })
  },

  async 'a watcher tells once, when armed, what a pipe is ready for'(scope) {
    const { readFd, writeFd } = pipe()
    scope.after(() => closeFd(readFd))
    const heard = []
    let wake
    const watcher = scope.closing(
      new FdWatcher(readFd, (readiness) => {
        heard.push(readiness)
        wake()
      }),
    )
    const armed = (...interests) =>
      new Promise((resolve) => {
        wake = resolve
        watcher.arm(...interests)
      })
    const readable = armed('readable')
    writeSync(writeFd, 'x')
    await readable
    // Silent until armed again, although there is something to read.
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.deepEqual(heard, [{ readable: true, writable: false, hangup: false, error: false }])
    await armed('readable')
    assert.equal(heard.length, 2)
    readSync(readFd, Buffer.alloc(4))
    const hangup = armed('hangup')
    closeFd(writeFd)
    await hangup
    assert.equal(heard[2].hangup, true)
  },

  async 'a pidfd becomes readable when its process ends'(scope) {
    const child = spawn('sleep', ['60'])
    scope.after(() => child.kill('SIGKILL'))
    const pidfd = pidfdOpen(child.pid)
    scope.after(() => closeFd(pidfd))
    const ended = new Promise((resolve) => {
      scope.closing(new FdWatcher(pidfd, resolve)).arm('readable')
    })
    child.kill('SIGKILL')
    assert.equal((await ended).readable, true)
    if (child.signalCode === null) await once(child, 'exit')
    assert.throws(() => pidfdOpen(child.pid), { code: 'ESRCH', syscall: 'pidfd_open' })
  },

  'a pidfd has an id that is of its process alone, from Linux 6.9 on'(scope) {
    const [own, again, other] = [process.pid, process.pid, process.ppid].map((pid) => {
      const pidfd = pidfdOpen(pid)
      scope.after(() => closeFd(pidfd))
      return pidfdId(pidfd)
    })
    if (!kernelIsFrom(6, 9)) {
      assert.equal(own, undefined)
      return
    }
    assert.equal(typeof own, 'bigint')
    assert.equal(own, again)
    assert.notEqual(own, other)
  },

  async 'foreign descriptors are closed on a thread'(scope) {
    const { readFd, writeFd } = pipe()
    scope.after(() => closeFd(readFd))
    const closed = new Promise((resolve) => {
      scope.closing(new FdWatcher(readFd, resolve)).arm('hangup')
    })
    closeForeignFds([writeFd])
    assert.equal((await closed).hangup, true)
    closeForeignFds(Array.from({ length: 200 }, () => openSync('/dev/null')))
    closeForeignFds([])
  },
}
