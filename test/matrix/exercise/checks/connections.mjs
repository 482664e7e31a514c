import assert from 'node:assert/strict'
import { fstatSync } from 'node:fs'
import { join } from 'node:path'
import {
  adoptConnection,
  bindSocket,
  closeFd,
  closeForeignFds,
  ConnectionListener,
  connectSocket,
  duplicateFd,
  pidfdPid,
  pipe,
} from '@sdbridge/syscalls'
import { until } from '../runtime.mjs'

export const connections = {
  async 'a stream carries bytes and a descriptor, and ends'(scope) {
    await converse(scope, 'stream', 'helloworld')
  },

  async 'a seqpacket connection carries packets and a descriptor, and ends'(scope) {
    await converse(scope, 'seqpacket', 'hello|world')
  },

  async 'a connection that was inherited is taken over'(scope) {
    const { client, server } = await pair(scope, 'seqpacket')
    const inherited = scope.closing(adoptConnection(duplicateFd(server.fd)))
    server.close()
    const messages = []
    let ended = false
    inherited.receive({
      onMessages: (batch) => messages.push(...batch),
      onEnd: () => (ended = true),
      onError: assert.ifError,
    })
    client.trySend(Buffer.from('hello'))
    client.close()
    await until(() => ended)
    assert.equal(
      messages.map(({ data, sender }) => `${data} ${sender.pid}`).join(),
      `hello ${process.pid}`,
    )
  },

  async 'both ends of a connection know each other'(scope) {
    const { client, server } = await pair(scope, 'stream')
    for (const end of [client, server]) {
      assert.deepEqual(end.peer, { pid: process.pid, uid: process.getuid(), gid: process.getgid() })
    }
  },

  async 'a pidfd tells who is at the other end'(scope) {
    const { client } = await pair(scope, 'stream')
    const pidfd = client.peerPidfd()
    assert.notEqual(pidfd, undefined, 'no pidfd')
    scope.after(() => closeFd(pidfd))
    assert.equal(pidfdPid(pidfd), process.pid)
  },
}

async function converse(scope, type, expected) {
  const { client, server } = await pair(scope, type)
  const { readFd, writeFd } = pipe()
  scope.after(() => closeFd(readFd))
  const messages = []
  let ended = false
  server.receive({
    onMessages: (batch) => messages.push(...batch),
    onEnd: () => (ended = true),
    onError: assert.ifError,
  })
  assert.equal(client.trySend(Buffer.from('hello'), { fds: [writeFd] }), 5)
  await until(() => messages.length === 1)
  client.trySend(Buffer.from('world'))
  client.close()
  await until(() => ended)
  const separator = type === 'stream' ? '' : '|'
  assert.equal(messages.map(({ data }) => data).join(separator), expected)
  assert.equal(messages[0].sender.pid, process.pid)
  assert.equal(fstatSync(messages[0].fds[0]).ino, fstatSync(writeFd).ino)
  closeForeignFds(messages[0].fds)
  closeFd(writeFd)
}

async function pair(scope, type) {
  const address = { family: 'unix', path: join(scope.temporaryDirectory(), 's') }
  const accepted = new Promise((resolve, reject) => {
    const fd = bindSocket({ type, address })
    scope.closing(new ConnectionListener(fd, { onConnection: resolve, onError: reject }))
  })
  const client = scope.closing(await connectSocket({ type, address }))
  return { client, server: scope.closing(await accepted) }
}
