import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { listenOrBind } from '@sdbridge/listen-fds'
import { Service } from '@sdbridge/manager'
import { connectSocket, DatagramSocket } from '@sdbridge/syscalls'
import { NODE, program } from '../runtime.mjs'

export const activation = {
  async 'a service adopts sockets of every kind that it can be passed'(scope) {
    const directory = scope.temporaryDirectory()
    const [log, control] = ['log', 'control'].map((name) => join(directory, name))
    const service = new Service({
      command: [NODE, program('kinds.mjs')],
      sockets: [
        { listen: '127.0.0.1:0', name: 'web' },
        { listen: log, name: 'log', type: 'dgram' },
        { listen: control, name: 'control', type: 'seqpacket' },
        { listen: '127.0.0.1:0', name: 'nobody' },
      ],
    })
    scope.after(() => service.close())
    await service.start()
    assert.equal(service.statusText, 'true true nobody')
    assert.equal(await text(connect(service.sockets[0].address.port, '127.0.0.1')), 'hello\n')

    const client = scope.closing(new DatagramSocket('unix'))
    client.bind({ family: 'unix' })
    client.connect({ family: 'unix', path: log })
    assert.equal(await echo(client), 'echo')
    const address = { family: 'unix', path: control }
    const connection = scope.closing(await connectSocket({ type: 'seqpacket', address }))
    assert.equal(await echo(connection), 'echo')
    connection.close() // The service waits for that.
    await service.stop()
    assert.equal(service.result, 'success')
  },

  async 'a server without a manager listens on its own port'(scope) {
    const server = createServer()
    const { inherited, address } = await listenOrBind(server, {
      name: 'web',
      fallback: { port: 0, host: '127.0.0.1' },
    })
    scope.after(() => server.close())
    assert.deepEqual([inherited, address], [false, `127.0.0.1:${server.address().port}`])
  },
}

function echo(socket) {
  return new Promise((resolve, reject) => {
    socket.receive({ onMessages: ([{ data }]) => resolve(String(data)), onError: reject })
    socket.trySend(Buffer.from('echo'))
  })
}
