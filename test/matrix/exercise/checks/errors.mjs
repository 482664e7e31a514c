import assert from 'node:assert/strict'
import { closeFd, bindSocket, DatagramSocket, FdWatcher, pipe } from '@sdbridge/syscalls'
import { Service } from '@sdbridge/manager'
import { freshAddress } from '../inbox.mjs'

export const errors = {
  'errors of system calls look as those of Node do'(scope) {
    const address = freshAddress()
    const name = `@${address.abstract}`
    const socket = scope.closing(new DatagramSocket('unix'))
    assert.throws(() => socket.trySend(Buffer.from('x'), { address }), {
      name: 'Error',
      message: `ECONNREFUSED: connection refused, sendmsg '${name}'`,
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'sendmsg',
      address: name,
    })
    socket.bind(address)
    assert.throws(() => bindSocket({ type: 'dgram', address }), {
      code: 'EADDRINUSE',
      syscall: 'bind',
      address: name,
    })
  },

  'misuse throws, and ends nothing'(scope) {
    const socket = scope.closing(new DatagramSocket('unix'))
    socket.close()
    assert.throws(() => socket.trySend(Buffer.from('x')), { code: 'EBADF', errno: -9 })
    assert.throws(() => closeFd(1_000_000), { code: 'EBADF', syscall: 'close' })
    assert.throws(() => bindSocket({ type: 'stream', address: { family: 'unix', path: '' } }), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
    })
    const { readFd, writeFd } = pipe()
    scope.after(() => closeFd(writeFd))
    const watcher = scope.closing(new FdWatcher(readFd, () => {}))
    assert.throws(() => new FdWatcher(readFd, () => {}), { code: 'EEXIST' })
    closeFd(readFd)
    assert.throws(() => watcher.arm('readable'), { code: 'EBADF', syscall: 'epoll_ctl' })
    assert.throws(() => new Service({ command: [] }), { code: 'ERR_MANAGER_INVALID_OPTION' })
  },
}
