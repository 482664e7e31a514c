import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdirSync, openSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import {
  bindSocket,
  closeFd,
  closeForeignFds,
  connectSocket,
  isCloexec,
  isNonBlocking,
  kindOfFd,
  pidfdPid,
} from '../src/index.js'
import { acceptOne, connectedPair, Conversation, freeAddress } from './conversation.js'
import { tick, until } from './inbox.js'
import { openFds } from './open-fds.js'
import { fixture } from './program.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

const CREDENTIALS = { pid: process.pid, uid: process.getuid!(), gid: process.getgid!() }

describe.each(['stream', 'seqpacket'] as const)('a %s connection', (type) => {
  test('carries bytes and descriptors both ways, and says who sends them', async () => {
    const { client, server } = await connectedPair(type)
    const { writeFd } = new TestPipe()
    expect(client.connection.trySend(Buffer.from('question'), { fds: [writeFd] })).toBe(8)
    expect(server.connection.trySend(Buffer.from('answer'))).toBe(6)

    await until(() => server.messages.length === 1 && client.messages.length === 1)
    const [question] = server.messages
    expect(question).toMatchObject({ sender: CREDENTIALS, controlTruncated: false })
    expect(question!.data.toString()).toBe('question')
    expect(fstatSync(question!.fds[0]!).ino).toBe(fstatSync(writeFd).ino)
    expect(isCloexec(question!.fds[0]!)).toBe(true)
    expect(client.messages[0]!.data.toString()).toBe('answer')
  })

  test('is close-on-exec and does not block, at both ends', async () => {
    const { client, server } = await connectedPair(type)
    for (const { connection } of [client, server]) {
      expect([isCloexec(connection.fd), isNonBlocking(connection.fd)]).toEqual([true, true])
    }
  })

  test('knows the process at the other end, and keeps knowing it by a pidfd', async () => {
    const { client, server } = await connectedPair(type)
    for (const { connection } of [client, server]) {
      expect(connection.peer).toEqual(CREDENTIALS)
      const pidfd = connection.peerPidfd()!
      onTestFinished(() => closeFd(pidfd))
      expect(pidfdPid(pidfd)).toBe(process.pid)
      expect(isCloexec(pidfd)).toBe(true)
    }
  })

  test('delivers what was sent before the end, then the end, once', async () => {
    const { client, server } = await connectedPair(type)
    client.connection.trySend(Buffer.from('last words'))
    client.connection.close()
    await until(() => server.ends > 0)
    await tick()
    expect(server.text).toBe('last words')
    expect([server.ends, server.errors]).toEqual([1, []])
  })

  test('can be ended in one direction', async () => {
    const { client, server } = await connectedPair(type)
    client.connection.endSending()
    await until(() => server.ends === 1)
    expect(() => client.connection.trySend(Buffer.from('x'))).toThrow(
      expect.objectContaining({ code: 'EPIPE' }),
    )
    server.connection.trySend(Buffer.from('still here'))
    await until(() => client.text === 'still here')
  })

  test('waits while the other end does not read, and goes on when it does', async () => {
    const { client, server } = await connectedPair(type)
    server.receiver.pause()
    const block = Buffer.alloc(4096, 'x')
    let sent = 0
    for (let bytes; (bytes = client.connection.trySend(block)) !== undefined;) sent += bytes
    expect(client.connection.trySend(block)).toBeUndefined()

    let writable = 0
    client.connection.onceWritable(() => writable++)
    for (let turn = 0; turn < 5; turn++) await tick()
    expect(writable).toBe(0)
    server.receiver.resume()
    await until(() => writable === 1 && server.bytes === sent)
  })

  test('to a writer whose reader is gone is an error, not the end of the process', async () => {
    const { client, server } = await connectedPair(type)
    server.connection.close()
    await until(() => client.ends + client.errors.length === 1)
    expect(() => client.connection.trySend(Buffer.from('x'))).toThrow(
      expect.objectContaining({ code: 'EPIPE', syscall: 'sendmsg' }),
    )
  })

  test('that ends with something unread tells the sender', async () => {
    const { client, server } = await connectedPair(type)
    server.receiver.pause()
    client.connection.trySend(Buffer.from('never read'))
    server.connection.close()
    await until(() => client.errors.length === 1)
    expect(client.errors[0]).toMatchObject({ code: 'ECONNRESET', syscall: 'recvmsg' })
    expect(client.ends).toBe(0)
  })

  test('that ends with something unread delivers what it sent before it tells', async () => {
    const { client, server } = await connectedPair(type)
    client.receiver.pause()
    server.receiver.pause()
    client.connection.trySend(Buffer.from('never read'))
    for (const text of ['a', 'b', 'c']) server.connection.trySend(Buffer.from(text))
    server.connection.close()
    client.receiver.resume()
    await until(() => client.errors.length === 1)
    expect([client.text, client.errors[0]!.code, client.ends]).toEqual(['abc', 'ECONNRESET', 0])
  })

  test('that fails in another way after that says so', async () => {
    const { client, server } = await connectedPair(type)
    client.receiver.pause()
    server.receiver.pause()
    client.connection.trySend(Buffer.from('never read'))
    server.connection.close()
    client.receiver.resume()
    client.receiver.readBatch()
    closeSync(client.connection.fd)
    client.receiver.readBatch()
    expect(client.errors).toMatchObject([{ code: 'EBADF', syscall: 'recvmsg' }])
  })

  test.skipIf(!works(PYTHON, '--version'))(
    'knows who sent what came before it received',
    async () => {
      const path = join(temporaryDirectory(), 's')
      const child = spawn(PYTHON, ['-c', GREETER, path, type], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
      await lines.next()
      const connection = await connectSocket({ type, address: { family: 'unix', path } })
      expect((await lines.next()).value).toBe('greeted')
      const client = new Conversation(connection)
      await until(() => client.messages.length === 1)
      expect(client.messages[0]).toMatchObject({
        sender: { pid: child.pid, uid: process.getuid!() },
      })
      child.stdin.end()
    },
  )

  test('closed in the middle of a batch delivers nothing more', async () => {
    const { client, server } = await connectedPair(type)
    server.onMessage = () => server.connection.close()
    for (let count = 0; count < 10; count++) client.connection.trySend(Buffer.from('x'))
    await until(() => server.messages.length > 0)
    for (let turn = 0; turn < 5; turn++) await tick()
    expect([server.ends, server.errors, server.batches]).toEqual([0, [], 1])
    server.connection.close()
  })

  test('leaks no descriptor, whoever closes first', async () => {
    const before = openFds().length
    for (const first of ['client', 'server'] as const) {
      const pair = await connectedPair(type)
      const pipe = new TestPipe()
      pair.client.connection.trySend(Buffer.from('x'), { fds: [pipe.writeFd] })
      pipe.closeRead()
      pipe.closeWrite()
      if (first === 'client') await until(() => pair.server.messages.length === 1)
      closeForeignFds(pair.server.messages.flatMap(({ fds }) => fds))
      pair.server.messages.length = 0
      pair[first].connection.close()
      pair.client.connection.close()
      pair.server.connection.close()
      pair.listener.close()
    }
    await until(() => openFds().length <= before + 2) // the poller's own two
  })

  test('refuses to connect where nobody listens, and leaks nothing', async () => {
    const before = openFds().length
    await expect(connectSocket({ type, address: freeAddress() })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: expect.stringMatching(/^@/),
    })
    const path = join(temporaryDirectory(), 'none')
    await expect(connectSocket({ type, address: { family: 'unix', path } })).rejects.toMatchObject({
      code: 'ENOENT',
      address: path,
    })
    await until(() => openFds().length <= before)
  })

  test('refuses a listener of the other type', async () => {
    // Abstract names exist once for each type; paths do not.
    const address = { family: 'unix', path: join(temporaryDirectory(), 's') } as const
    const other = type === 'stream' ? 'seqpacket' : 'stream'
    const fd = bindSocket({ type: other, address })
    onTestFinished(() => closeFd(fd))
    await expect(connectSocket({ type, address })).rejects.toMatchObject({ code: 'EPROTOTYPE' })
  })

  test('reaches a listener below a path that is too long for an address', async () => {
    const path = join(temporaryDirectory(), 'd'.repeat(200), 's')
    mkdirSync(join(path, '..'))
    const accepted = acceptOne(type, { family: 'unix', path })
    const client = new Conversation(
      await connectSocket({ type, address: { family: 'unix', path } }),
    )
    const server = await accepted
    client.connection.trySend(Buffer.from('far away'))
    await until(() => server.text === 'far away')
  })

  test('waits for a listener whose queue is full, or until it is told not to', async () => {
    const address = freeAddress()
    const fd = bindSocket({ type, address, backlog: 0 })
    const first = await connectSocket({ type, address })
    onTestFinished(() => first.close())
    const abort = new AbortController()
    const second = connectSocket({ type, address, signal: abort.signal })
    const third = connectSocket({ type, address })
    for (let turn = 0; turn < 20; turn++) await tick()
    abort.abort(new Error('enough'))
    await expect(second).rejects.toThrow('enough')

    const accepted = acceptOne(type, fd)
    await accepted
    const connection = await third
    onTestFinished(() => connection.close())
    expect(connection.peer.pid).toBe(process.pid)
  })

  test.skipIf(!works(PYTHON, '--version'))('talks to another program', async () => {
    const address = freeAddress()
    const name = (address as { abstract: Uint8Array }).abstract
    const accepted = acceptOne(type, address)
    const child = spawn(PYTHON, ['-c', CLIENT, Buffer.from(name).toString(), type], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const server = await accepted
    expect(server.connection.peer).toMatchObject({ pid: child.pid })
    await until(() => server.messages.length === 1)
    expect(server.messages[0]).toMatchObject({ sender: { pid: child.pid, uid: process.getuid!() } })
    expect(kindOfFd(server.messages[0]!.fds[0]!)).toBe('memfd')

    const { writeFd } = new TestPipe()
    server.connection.trySend(Buffer.from('back'), { fds: [writeFd] })
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    expect(line).toBe(`back pipe:[${fstatSync(writeFd).ino}]`)
  })
})

const GREETER = `
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[2] == 'stream' else socket.SOCK_SEQPACKET
listener = socket.socket(socket.AF_UNIX, kind)
listener.bind(sys.argv[1])
listener.listen()
print('listening', flush=True)
connection, _ = listener.accept()
connection.send(b'greeting')
print('greeted', flush=True)
sys.stdin.read()
`

const CLIENT = `
import array, os, socket, sys
kind = socket.SOCK_STREAM if sys.argv[2] == 'stream' else socket.SOCK_SEQPACKET
s = socket.socket(socket.AF_UNIX, kind)
s.connect('\\0' + sys.argv[1])
socket.send_fds(s, [b'hello'], [os.memfd_create('x')])
data, fds, flags, _ = socket.recv_fds(s, 100, 10)
print(data.decode(), os.readlink('/proc/self/fd/%d' % fds[0]), flush=True)
sys.stdin.read()
`

test('a packet keeps its boundaries, and an empty one is not the end', async () => {
  const { client, server } = await connectedPair('seqpacket')
  for (const text of ['one', '', 'three']) client.connection.trySend(Buffer.from(text))
  client.connection.close()
  await until(() => server.ends === 1)
  expect(server.messages.map(({ data }) => data.toString())).toEqual(['one', '', 'three'])
})

test.skipIf(!isRoot())(
  'an empty packet from a process that we do not see is not the end either',
  async () => {
    const path = join(temporaryDirectory(), 's')
    const program = [process.execPath, fixture('print-packets.mjs'), path]
    const child = spawn('unshare', ['--pid', '--fork', '--kill-child', ...program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let printed = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
    await once(child.stdout, 'data')

    const connection = await connectSocket({ type: 'seqpacket', address: { family: 'unix', path } })
    for (const text of ['', 'more', '']) connection.trySend(Buffer.from(text))
    connection.close()
    await once(child, 'close')
    expect(printed).toBe("listening\n0: ''\n0: 'more'\n0: ''\nend\n")
  },
)

test('a packet longer than the receiver takes is cut, and says so', async () => {
  const { client, server } = await connectedPair('seqpacket', { maxBytes: 10 })
  client.connection.trySend(Buffer.from('0123456789abcdef'))
  await until(() => server.messages.length === 1)
  expect(server.messages[0]).toMatchObject({ truncated: true, fullLength: 16 })
  expect(server.text).toBe('0123456789')
})

test('a stream keeps its bytes in order, whatever fits at a time', async () => {
  const { client, server } = await connectedPair('stream', { maxBytes: 1000 })
  const all = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
  let sent = 0
  const sendOn = (): void => {
    for (let bytes; sent < all.length; sent += bytes) {
      bytes = client.connection.trySend(all.subarray(sent, sent + 70_000))
      if (bytes === undefined) return client.connection.onceWritable(sendOn)
    }
    client.connection.close()
  }
  sendOn()
  await until(() => server.ends === 1)
  expect(Buffer.concat(server.messages.map(({ data }) => data)).equals(all)).toBe(true)
  expect(server.messages.every(({ truncated }) => !truncated)).toBe(true)
})

test('a stream takes no descriptor without a byte: the kernel would lose it', async () => {
  const { client } = await connectedPair('stream')
  const { writeFd } = new TestPipe()
  expect(() => client.connection.trySend(Buffer.alloc(0), { fds: [writeFd] })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
  )
})

test('a stream meets node:net', async () => {
  const path = join(temporaryDirectory(), 's')
  const server = createServer((socket) => socket.end('from node')).listen(path)
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const client = new Conversation(
    await connectSocket({ type: 'stream', address: { family: 'unix', path } }),
  )
  await until(() => client.ends === 1)
  expect(client.text).toBe('from node')

  const other = join(temporaryDirectory(), 't')
  const accepted = acceptOne('stream', { family: 'unix', path: other })
  const socket = createConnection(other).end('to the addon')
  onTestFinished(() => void socket.destroy())
  const received = await accepted
  await until(() => received.ends === 1)
  expect(received.text).toBe('to the addon')
})

test('an address of another family is for node:net', async () => {
  const address = { family: 'inet', host: '127.0.0.1', port: 1 } as never
  await expect(connectSocket({ type: 'stream', address })).rejects.toThrow(/node:net/)
})

test('a file among the descriptors stays the same open file', async () => {
  const { client, server } = await connectedPair('stream')
  const fd = openSync('/proc/self/status', 'r')
  client.connection.trySend(Buffer.from('x'), { fds: [fd, fd] })
  closeSync(fd)
  await until(() => server.messages.length === 1)
  expect(server.messages[0]!.fds.map((each) => kindOfFd(each))).toEqual(['regular', 'regular'])
})
