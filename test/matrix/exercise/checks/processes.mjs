import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  closeFd,
  getFileLimit,
  isSubreaper,
  kindOfFd,
  monotonicOffset,
  monotonicUsec,
  openPidNamespace,
  pidfdOpen,
  pidfdPid,
  pidFromNamespace,
  pidInNamespace,
  pipe,
  sendSignal,
  setSubreaper,
  waitForExit,
  withSoftFileLimit,
} from '@sdbridge/syscalls'
import { run } from '../runtime.mjs'

export const processes = {
  async 'a child is signalled and waited for by its pidfd'(scope) {
    const child = spawn('sleep', ['60'])
    const pidfd = pidfdOpen(child.pid)
    scope.after(() => closeFd(pidfd))
    assert.equal(pidfdPid(pidfd), child.pid)
    const ended = waitForExit(pidfd)
    sendSignal(pidfd, 'SIGTERM')
    // libuv may have waited for it already; then its status is not ours to know.
    const status = await ended
    if (status !== undefined)
      assert.deepEqual(status, { pid: child.pid, code: null, signal: 'SIGTERM' })
  },

  async 'a real-time signal is caught, as often as it was sent'() {
    const { code, signal, stdout } = await run('catch-signals.mjs')
    assert.deepEqual({ code, signal, stdout }, { code: 0, signal: null, stdout: 'caught 3\n' })
  },

  async 'a process becomes another program, with descriptors at their numbers'() {
    const { pid, code, stdout, stderr } = await run('become-shell.mjs')
    assert.equal(stderr, '')
    assert.deepEqual([code, stdout], [5, `${pid} argument from the pipe 100\n`])
  },

  async 'an execve that fails leaves everything as it was'() {
    const { code, stdout, stderr } = await run('fail-to-become.mjs')
    assert.deepEqual([code, stdout, stderr], [0, 'ENOENT execve, and the pipe still works\n', ''])
  },

  async 'orphans are adopted and waited for'() {
    const { code, stdout, stderr } = await run('adopt.mjs')
    assert.deepEqual([code, stdout, stderr], [0, 'orphan 7, own child 3\n', ''])
  },

  'it is no subreaper unless it says so'() {
    assert.equal(isSubreaper(), false)
    setSubreaper(true)
    assert.equal(isSubreaper(), true)
    setSubreaper(false)
  },

  'the limit of descriptors is for those who are started, and put back'() {
    const before = getFileLimit()
    const inside = withSoftFileLimit(64, () => getFileLimit().soft)
    assert.equal(inside, 64)
    assert.deepEqual(getFileLimit(), before)
  },

  'pids are translated, here into the same namespace'(scope) {
    const namespace = openPidNamespace(process.pid)
    scope.after(() => closeFd(namespace))
    assert.equal(pidInNamespace(namespace, process.pid), process.pid)
    assert.equal(pidFromNamespace(namespace, process.pid), process.pid)
    assert.equal(pidFromNamespace(namespace, 2 ** 22 + 1), undefined)
    assert.equal(monotonicOffset(process.pid), 0n)
  },

  async 'the monotonic clock is the same in all processes'() {
    const before = monotonicUsec()
    const { stdout, stderr } = await run('tell-time.mjs')
    assert.equal(stderr, '')
    assert.ok(before <= BigInt(stdout) && BigInt(stdout) <= monotonicUsec(), stdout)
  },

  'descriptors are told by their kind'(scope) {
    const { readFd, writeFd } = pipe()
    const pidfd = pidfdOpen(process.pid)
    scope.after(() => [readFd, writeFd, pidfd].forEach(closeFd))
    assert.deepEqual([readFd, writeFd, pidfd].map(kindOfFd), ['pipe', 'pipe', 'pidfd'])
  },
}
