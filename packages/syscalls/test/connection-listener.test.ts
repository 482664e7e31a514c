import { once } from 'node:events'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import {
  bindSocket,
  closeFd,
  type Connection,
  ConnectionListener,
  connectSocket,
  DatagramSocket,
} from '../src/index.js'
import { freeAddress } from './conversation.js'
import { tick, until } from './inbox.js'
import { flagsOf, inherited } from './inherited.js'
import { isOpen, openFds } from './open-fds.js'
import { runFixture } from './program.js'

test('connections are accepted, all of them, however many come at once', async () => {
  const { address, connections } = listen()
  const clients = await Promise.all(
    Array.from({ length: 200 }, () => connectSocket({ type: 'stream', address })),
  )
  onTestFinished(() => clients.forEach((client) => client.close()))
  await until(() => connections.length === 200)
})

test('a closed listener is refused to clients, and its descriptor is gone', async () => {
  const { address, listener } = listen()
  const { fd } = listener
  listener.close()
  listener.close()
  expect([listener.fd, isOpen(fd)]).toEqual([-1, false])
  await expect(connectSocket({ type: 'stream', address })).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  })
})

test('closed by its own callback, it accepts no more', async () => {
  const { address, connections, listener } = listen(() => listener.close())
  const first = connectSocket({ type: 'stream', address })
  const second = connectSocket({ type: 'stream', address })
  for (const each of await Promise.all([first, second])) onTestFinished(() => each.close())
  await until(() => connections.length > 0)
  for (let turn = 0; turn < 5; turn++) await tick()
  expect(connections.length).toBe(1)
})

test('what its callback throws is the program’s error, and the next connection comes all the same', async () => {
  const outcome = await runFixture('throw-on-connection.mjs')
  expect(outcome).toEqual({ code: 0, signal: null, stdout: 'caught 1\ncaught 2\n', stderr: '' })
})

test('without a free descriptor, connections wait until there is one', async () => {
  const outcome = await runFixture('accept-with-full-table.mjs', [join(temporaryDirectory(), 's')])
  expect(outcome.stderr).toBe('')
  expect(outcome.stdout).toBe('EMFILE accept4\naccepted\n')
  expect(outcome.code).toBe(0)
})

test('an onError that throws does not make it try again at once', async () => {
  const path = join(temporaryDirectory(), 's')
  const outcome = await runFixture('accept-with-full-table.mjs', [path, 'throws'])
  expect(outcome).toEqual({ code: 0, signal: null, stdout: 'few errors\naccepted\n', stderr: '' })
})

test('it keeps the process alive, unless told not to, and ends with it', async () => {
  const outcome = await runFixture('unref-listener.mjs')
  expect(outcome).toEqual({ code: 0, signal: null, stdout: 'end\n', stderr: '' })
})

test('node:net meets it', async () => {
  const path = join(temporaryDirectory(), 's')
  const { connections } = listen(undefined, { family: 'unix', path })
  const socket = createConnection(path)
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  await until(() => connections.length === 1)
  expect(connections[0]!.peer).toMatchObject({ pid: process.pid })
})

test('an inherited socket is close-on-exec and does not block from then on', async () => {
  const fd = inherited(bindSocket({ type: 'seqpacket', address: freeAddress() }))
  const listener = new ConnectionListener(fd, { onConnection() {}, onError() {} })
  expect(flagsOf(fd)).toEqual({ cloexec: true, nonBlocking: true })
  listener.close()
  await until(() => !isOpen(fd))
})

const ANY = 0xffff_ffff
const VSOCK = 'import socket; socket.socket(socket.AF_VSOCK).bind((0xffffffff, 0xffffffff))'
test.skipIf(!works(PYTHON, '-c', VSOCK)).each(['stream', 'seqpacket'] as const)(
  'a listening vsock %s socket is taken',
  async (type) => {
    const fd = inherited(bindSocket({ type, address: { family: 'vsock', cid: ANY, port: ANY } }))
    const listener = new ConnectionListener(fd, { onConnection() {}, onError() {} })
    expect(flagsOf(fd)).toEqual({ cloexec: true, nonBlocking: true })
    listener.close()
    await until(() => !isOpen(fd))
  },
)

test('nothing but a listening unix or vsock stream or seqpacket socket is taken', async () => {
  const before = openFds().length
  const socket = new DatagramSocket('unix')
  const tcp = bindSocket({
    type: 'stream',
    address: { family: 'inet', address: '127.0.0.1', port: 0 },
  })
  for (const fd of [socket.fd, tcp, 0]) {
    expect(() => new ConnectionListener(fd, { onConnection() {}, onError() {} })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    )
  }
  expect(() => new ConnectionListener(-1, { onConnection() {}, onError() {} })).toThrow(
    expect.objectContaining({ code: 'EBADF' }),
  )
  socket.close()
  closeFd(tcp)
  await until(() => openFds().length <= before)
})

function listen(
  onConnection: (connection: Connection) => void = () => {},
  address = freeAddress(),
): {
  address: ReturnType<typeof freeAddress>
  connections: Connection[]
  listener: ConnectionListener
} {
  const connections: Connection[] = []
  const listener = new ConnectionListener(bindSocket({ type: 'stream', address }), {
    onConnection: (connection) => {
      connections.push(connection)
      onConnection(connection)
    },
    onError: (error) => expect.unreachable(error.message),
  })
  onTestFinished(() => {
    listener.close()
    for (const connection of connections) connection.close()
  })
  return { address, connections, listener }
}
