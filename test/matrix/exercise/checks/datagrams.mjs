import assert from 'node:assert/strict'
import { existsSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import {
  bindSocket,
  closeFd,
  closeForeignFds,
  DatagramSocket,
  isCloexec,
  ownSocketFile,
  pidfdId,
  pidfdOpen,
  pipe,
  removeStaleSocketFile,
  setCloexec,
} from '@sdbridge/syscalls'
import { freshAddress, inbox, pairOf } from '../inbox.mjs'
import { kernelIsFrom } from '../kernel.mjs'
import { run } from '../runtime.mjs'

export const datagrams = {
  async 'datagrams go both ways, with the credentials of the sender'(scope) {
    const { here, there, hereAddress, thereAddress } = pairOf(scope)
    assert.equal(here.socket.trySend(Buffer.from('ping'), { address: thereAddress }), true)
    const ping = await there.next()
    assert.equal(String(ping.data), 'ping')
    assert.deepEqual(ping.sender, {
      pid: process.pid,
      uid: process.getuid(),
      gid: process.getgid(),
    })
    assert.equal(there.socket.trySend(Buffer.alloc(0), { address: hereAddress }), true)
    const pong = await here.next()
    assert.equal(pong.data.length, 0)
    assert.deepEqual(pong.fds, [])
  },

  async 'a descriptor that travelled is close-on-exec, and the same open file'(scope) {
    const { here, there, thereAddress } = pairOf(scope)
    const { readFd, writeFd } = pipe()
    scope.after(() => [readFd, writeFd].forEach(closeFd))
    here.socket.trySend(Buffer.from('x'), { address: thereAddress, fds: [writeFd] })
    const [fd] = (await there.next()).fds
    scope.after(() => closeForeignFds([fd]))
    assert.notEqual(fd, writeFd)
    assert.equal(isCloexec(fd), true)
    writeSync(fd, 'through')
    const bytes = Buffer.alloc(16)
    assert.equal(String(bytes.subarray(0, readSync(readFd, bytes))), 'through')
  },

  async 'a datagram socket that was inherited is taken over'(scope) {
    const address = freshAddress()
    const fd = bindSocket({ type: 'dgram', address })
    setCloexec(fd, false)
    const socket = scope.closing(DatagramSocket.adopt(fd))
    assert.deepEqual([socket.fd, isCloexec(fd)], [fd, true])
    const arrived = new Promise((resolve, reject) => {
      socket.receive({ onMessages: resolve, onError: reject })
    })
    scope.closing(new DatagramSocket('unix')).trySend(Buffer.from('hello'), { address })
    const [message] = await arrived
    assert.equal(`${message.data} ${message.sender.pid}`, `hello ${process.pid}`)
    assert.throws(() => DatagramSocket.adopt(0), { code: 'ERR_INVALID_ARG_VALUE' })
  },

  async 'a message is answered at the address that it came from'(scope) {
    const { here, there, hereAddress, thereAddress } = pairOf(scope, { addresses: true })
    here.socket.trySend(Buffer.from('question'), { address: thereAddress })
    const { address } = await there.next()
    assert.deepEqual(Buffer.from(address.abstract), hereAddress.abstract)
    there.socket.trySend(Buffer.from('answer'), { address })
    assert.equal(String((await here.next()).data), 'answer')
  },

  async '253 descriptors travel at once'(scope) {
    const { here, there, thereAddress } = pairOf(scope)
    const fd = openSync('/dev/null')
    scope.after(() => closeFd(fd))
    const fds = Array(253).fill(fd)
    here.socket.trySend(Buffer.from('x'), { address: thereAddress, fds })
    const message = await there.next()
    closeForeignFds(message.fds)
    assert.equal(message.fds.length, 253)
    assert.equal(message.controlTruncated, false)
    assert.throws(
      () => here.socket.trySend(Buffer.from('x'), { address: thereAddress, fds: [...fds, fd] }),
      { code: 'E2BIG', syscall: 'sendmsg' },
    )
  },

  async 'a message that is too long is cut, and says so'(scope) {
    const { here, there, thereAddress } = pairOf(scope, { maxBytes: 100 })
    here.socket.trySend(Buffer.alloc(101, 'x'), { address: thereAddress })
    here.socket.trySend(Buffer.alloc(100, 'y'), { address: thereAddress })
    const [cut, whole] = [await there.next(), await there.next()]
    assert.deepEqual([cut.data.length, cut.fullLength, cut.truncated], [100, 101, true])
    assert.deepEqual([whole.data.length, whole.fullLength, whole.truncated], [100, 100, false])
    assert.equal(whole.data[99], 'y'.charCodeAt(0))
  },

  async 'a full queue is false, and room in it is told'(scope) {
    const { here, there, thereAddress } = pairOf(scope)
    there.receiver.pause()
    here.socket.connect(thereAddress)
    let sent = 0
    while (here.socket.trySend(Buffer.from('x'))) sent++
    assert.ok(sent > 0)
    const room = new Promise((resolve) => here.socket.onceWritable(resolve))
    there.receiver.resume()
    await room
    assert.equal(here.socket.trySend(Buffer.from('last')), true)
    for (let count = 0; count < sent; count++) assert.equal(String((await there.next()).data), 'x')
    assert.equal(String((await there.next()).data), 'last')
  },

  async 'a pidfd of the sender arrives, where the kernel gives one'(scope) {
    const { here, there, thereAddress } = pairOf(scope, { pidfd: true })
    here.socket.trySend(Buffer.from('x'), { address: thereAddress })
    const { pidfd } = await there.next()
    if (!kernelIsFrom(6, 5)) {
      assert.equal(pidfd, undefined)
      return
    }
    assert.notEqual(pidfd, undefined, 'no pidfd')
    scope.after(() => closeFd(pidfd))
    const own = pidfdOpen(process.pid)
    scope.after(() => closeFd(own))
    assert.equal(pidfdId(pidfd), pidfdId(own))
  },

  async 'credentials that are named are checked by the kernel'(scope) {
    const { here, there, thereAddress } = pairOf(scope)
    const credentials = { pid: process.pid, uid: process.getuid(), gid: process.getgid() }
    here.socket.trySend(Buffer.from('x'), { address: thereAddress, credentials })
    assert.deepEqual((await there.next()).sender, credentials)
    const nobody = { ...credentials, pid: 0x7fff_ffff }
    assert.throws(
      () => here.socket.trySend(Buffer.from('x'), { address: thereAddress, credentials: nobody }),
      { code: process.getuid() === 0 ? 'ESRCH' : 'EPERM', syscall: 'sendmsg' },
    )
  },

  async 'a socket file at a path beyond sockaddr_un, removed at the end'(scope) {
    const directory = join(scope.temporaryDirectory(), 'd'.repeat(120))
    mkdirSync(directory)
    const address = { family: 'unix', path: join(directory, 'socket') }
    const { socket, next } = inbox(scope)
    socket.bind(address)
    const remove = ownSocketFile(address.path)
    const sender = scope.closing(new DatagramSocket('unix'))
    sender.connect(address)
    sender.trySend(Buffer.from('far'))
    assert.equal(String((await next()).data), 'far')
    removeStaleSocketFile(address.path)
    assert.ok(existsSync(address.path), 'a socket that is in use is not stale')
    remove()
    assert.equal(existsSync(address.path), false)
  },

  async 'the process is kept alive while it receives, and not longer'() {
    const outcome = await run('receive-once.mjs')
    assert.deepEqual(
      { ...outcome, pid: 0 },
      { pid: 0, stdout: 'received\n', stderr: '', code: 0, signal: null },
    )
  },
}
