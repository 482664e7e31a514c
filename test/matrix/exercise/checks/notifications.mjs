import assert from 'node:assert/strict'
import { once } from 'node:events'
import { fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import {
  barrier,
  booted,
  extendTimeout,
  notify,
  notifySync,
  ready,
  reloading,
  removeFds,
  status,
  stopping,
  storeFds,
  watchdog,
  watchdogInterval,
} from '@sdbridge/notify'
import { NotifyReceiver } from '@sdbridge/notify/receiver'
import { closeFd, closeForeignFds, DatagramSocket, FdWatcher, pipe } from '@sdbridge/syscalls'
import { run, until } from '../runtime.mjs'

export const notifications = {
  async 'a notification arrives as it was sent, with descriptors'(scope) {
    const { heard, env } = listen(scope)
    const { readFd, writeFd } = pipe()
    scope.after(() => [readFd, writeFd].forEach(closeFd))
    const assignments = { ready: true, status: 'größer', fdStore: true, fdName: 'pipe' }
    assert.equal(await notify(assignments, { env, fds: [writeFd] }), true)
    await until(() => heard.length === 1)
    assert.deepEqual({ ...heard[0].assignments }, assignments)
    assert.deepEqual(heard[0].sender, {
      pid: process.pid,
      uid: process.getuid(),
      gid: process.getgid(),
    })
    const [fd] = heard[0].fds
    writeSync(fd, 'through')
    assert.equal(readSync(readFd, Buffer.alloc(16)), 7)
  },

  async 'the named calls say what they are named for'(scope) {
    const { heard } = listenInEnvironment(scope)
    await ready('up')
    await reloading()
    await status('busy')
    await stopping()
    await until(() => heard.length === 4)
    const said = heard.map(({ assignments }) => Object.keys(assignments).join(' '))
    assert.deepEqual(said, ['ready status', 'reloading monotonicUsec', 'status', 'stopping'])
  },

  async 'without a service manager nothing is sent'() {
    assert.equal(await notify({ ready: true }, { env: {} }), false)
    assert.equal(watchdogInterval({ env: {} }), undefined)
  },

  async 'a barrier is answered when what came before has been handed out'(scope) {
    const { heard, env } = listen(scope)
    const { readFd, writeFd } = pipe()
    scope.after(() => closeFd(readFd))
    await notify({ status: 'first' }, { env })
    await notify({ barrier: true }, { env, fds: [writeFd] })
    const answered = new Promise((resolve) => {
      scope.closing(new FdWatcher(readFd, resolve)).arm('hangup')
    })
    closeFd(writeFd)
    await answered
    assert.equal(heard.length, 1)
  },

  async 'what a barrier, more time, and the way out say'(scope) {
    const { heard, env } = listen(scope)
    assert.equal(await extendTimeout(1500, { env }), true)
    assert.equal(notifySync({ exitStatus: 3 }, { env }), true)
    assert.equal(await barrier({ env }), 'passed')
    assert.equal(await barrier({ env: {} }), 'no-manager')
    assert.deepEqual(
      heard.map(({ assignments }) => ({ ...assignments })),
      [{ extendTimeoutUsec: 1_500_000n }, { exitStatus: 3 }],
    )
    assert.equal(typeof booted(), 'boolean')
  },

  async 'descriptors are stored by number, replaced and removed'(scope) {
    const { heard, env } = listen(scope)
    const { readFd, writeFd } = pipe()
    scope.after(() => [readFd, writeFd].forEach(closeFd))
    await storeFds('pipe', [readFd, writeFd], { env, poll: false })
    await assert.rejects(storeFds('again', readFd, { env }), { code: 'ERR_NOTIFY_DUPLICATE_FD' })
    await removeFds('pipe', { env })
    await until(() => heard.length === 3)
    assert.deepEqual(
      heard.map(({ assignments, fds }) => [Object.keys(assignments).join(' '), fds.length]),
      [
        ['fdStoreRemove fdName', 0],
        ['fdStore fdName fdPoll', 2],
        ['fdStoreRemove fdName', 0],
      ],
    )
  },

  async "a server's socket is stored"(scope) {
    const { heard, env } = listen(scope)
    const server = scope.closing(createServer().listen(0))
    await once(server, 'listening')
    await storeFds('web', server, { env })
    await until(() => heard.length === 2)
    assert.ok(fstatSync(heard[1].fds[0]).isSocket())
  },

  async 'the signals of a service lead to its states'(scope) {
    const { heard, env } = listen(scope)
    const running = run('lifecycle.mjs', [], { env: { ...process.env, ...env } })
    await until(() => heard.length === 1)
    process.kill(heard[0].sender.pid, 'SIGHUP')
    await until(() => heard.length === 3)
    process.kill(heard[0].sender.pid, 'SIGTERM')
    const { code, signal, stderr } = await running
    assert.deepEqual({ code, signal, stderr }, { code: 5, signal: null, stderr: '' })
    await until(() => heard.length === 5)
    const said = heard.map(({ assignments }) => Object.keys(assignments).join(' '))
    assert.deepEqual(said, [
      'ready status',
      'reloading monotonicUsec',
      'ready',
      'stopping extendTimeoutUsec',
      'exitStatus',
    ])
  },

  async 'a message from another process names that process'(scope) {
    const address = join(scope.temporaryDirectory(), 'notify')
    const { heard, env } = listen(scope, { address })
    const outcome = await run('say-ready.mjs', [], { env: { ...process.env, ...env } })
    assert.deepEqual([outcome.code, outcome.stdout, outcome.stderr], [0, 'true\n', ''])
    await until(() => heard.length === 1)
    assert.equal(heard[0].sender.pid, outcome.pid)
  },

  async 'the watchdog pings at half of its interval'(scope) {
    const { heard, env } = listen(scope)
    const { intervalMs, stop } = watchdog({ env: { ...env, WATCHDOG_USEC: '40000' } })
    assert.equal(intervalMs, 20)
    await until(() => heard.length >= 4)
    stop()
    assert.ok(heard.every(({ assignments }) => assignments.watchdog === true))
  },

  async 'a message that no manager would take is rejected, at both ends'(scope) {
    const { rejected, env } = listen(scope)
    await assert.rejects(notify({ fdName: 'a:b', fdStore: true }, { env }), {
      name: 'NotifyError',
      code: 'ERR_NOTIFY_VALUE_INVALID',
    })
    await assert.rejects(notify({ redy: true }, { env }), { name: 'TypeError' })
    const fd = openSync('/dev/null')
    scope.after(() => closeFd(fd))
    const raw = scope.closing(new DatagramSocket('unix'))
    const address = { family: 'unix', abstract: Buffer.from(env.NOTIFY_SOCKET.slice(1)) }
    raw.trySend(Buffer.alloc(5000, 'X'), { address })
    raw.trySend(Buffer.from('READY=1\nBARRIER=1'), { address, fds: [fd] })
    await until(() => rejected.length === 2)
    assert.deepEqual(rejected, ['payload-truncated', 'barrier-not-alone'])
  },

  async 'a manager that is gone is an error that names it'() {
    const env = { NOTIFY_SOCKET: '/nonexistent/notify' }
    await assert.rejects(notify({ ready: true }, { env }), (error) => {
      assert.deepEqual(
        [error.code, error.address, error.cause.code, error.cause.syscall],
        ['ERR_NOTIFY_SEND_FAILED', '/nonexistent/notify', 'ENOENT', 'connect'],
      )
      return true
    })
  },
}

function listen(scope, options = {}) {
  const heard = []
  const rejected = []
  const receiver = scope.closing(
    new NotifyReceiver({
      ...options,
      onNotification: (notification) => {
        const fds = notification.takeFds()
        scope.after(() => closeForeignFds(fds))
        heard.push({ assignments: notification.assignments, sender: notification.sender, fds })
      },
      onRejected: ({ reason }) => rejected.push(reason),
    }),
  )
  return { heard, rejected, env: { NOTIFY_SOCKET: receiver.address } }
}

function listenInEnvironment(scope) {
  const listening = listen(scope)
  process.env.NOTIFY_SOCKET = listening.env.NOTIFY_SOCKET
  scope.after(() => delete process.env.NOTIFY_SOCKET)
  return listening
}
