import { execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { bindSocket, closeFd, describeSocket, type SocketFacts } from '../src/index.js'
import { Inbox, openSender, openSocket } from './inbox.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

/** The descriptor of one of Node's own sockets. */
function fdOf(owner: object): number {
  return (Reflect.get(owner, '_handle') as { fd: number }).fd
}

async function listen(options: object): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(options, resolve))
  onTestFinished(() => void server.close())
  return server
}

async function accepted(server: Server, options: object): Promise<[Socket, Socket]> {
  const client = connect(options as { path: string })
  const [peer] = (await once(server, 'connection')) as [Socket]
  onTestFinished(() => void [client.destroy(), peer.destroy()])
  return [client, peer]
}

describe('a TCP socket', () => {
  test('that listens on IPv4', async () => {
    const server = await listen({ host: '127.0.0.1', port: 0 })
    const { port } = server.address() as AddressInfo
    expect(describeSocket(fdOf(server))).toStrictEqual({
      domain: 'inet',
      type: 'stream',
      protocol: 6,
      listening: true,
      localAddress: { family: 'inet', address: '127.0.0.1', port },
    })
  })

  test('that listens on IPv6', async () => {
    const server = await listen({ host: '::1', port: 0 })
    const { port } = server.address() as AddressInfo
    expect(describeSocket(fdOf(server))).toStrictEqual({
      domain: 'inet6',
      type: 'stream',
      protocol: 6,
      listening: true,
      localAddress: { family: 'inet6', address: '::1', port, flowInfo: 0, scopeId: 0 },
    })
  })

  test('that is connected knows its peer and does not listen', async () => {
    const server = await listen({ host: '127.0.0.1', port: 0 })
    const { port } = server.address() as AddressInfo
    const [client, peer] = await accepted(server, { host: '127.0.0.1', port })
    const facts = [client, peer].map((socket) => describeSocket(fdOf(socket))!)
    expect(facts.map(({ listening }) => listening)).toEqual([false, false])
    expect(facts[0]!.peerAddress).toStrictEqual({ family: 'inet', address: '127.0.0.1', port })
    expect(facts[1]!.peerAddress).toEqual(facts[0]!.localAddress)
  })

  test('of IPv6 that took a connection of IPv4 shows the mapped addresses', async () => {
    const server = await listen({ host: '::', port: 0 })
    const { port } = server.address() as AddressInfo
    const [, peer] = await accepted(server, { host: '127.0.0.1', port })
    expect(describeSocket(fdOf(peer))!.localAddress).toMatchObject({ address: '::ffff:127.0.0.1' })
  })
})

test('a UDP socket has a type and a protocol, and listens never', async () => {
  const socket = createSocket('udp6')
  onTestFinished(() => void socket.close())
  socket.bind(0, '::1')
  await once(socket, 'listening')
  const handles = Object.getOwnPropertySymbols(socket).map((symbol) => Reflect.get(socket, symbol))
  const { handle } = handles.find((state) => state?.handle) as { handle: { fd: number } }
  expect(describeSocket(handle.fd)).toMatchObject({
    domain: 'inet6',
    type: 'dgram',
    protocol: 17,
    listening: false,
    localAddress: { address: '::1', port: socket.address().port },
  })
})

describe('a unix socket', () => {
  test('of streams that listens, and a connection to it', async () => {
    const path = join(temporaryDirectory(), 'stream.sock')
    const server = await listen({ path })
    expect(describeSocket(fdOf(server))).toStrictEqual({
      domain: 'unix',
      type: 'stream',
      protocol: 0,
      listening: true,
      localAddress: { family: 'unix', path },
    })
    const [client, peer] = await accepted(server, { path })
    expect(describeSocket(fdOf(client))).toMatchObject({
      listening: false,
      localAddress: { family: 'unix' },
      peerAddress: { family: 'unix', path },
    })
    // A peer without a name is a peer.
    expect(describeSocket(fdOf(peer))!.peerAddress).toStrictEqual({ family: 'unix' })
  })

  test('of datagrams, connected and not', () => {
    const inbox = new Inbox()
    const expected: SocketFacts = {
      domain: 'unix',
      type: 'dgram',
      protocol: 0,
      listening: false,
      localAddress: inbox.address,
    }
    expect(describeSocket(inbox.socket.fd)).toEqual(expected)
    expect(describeSocket(openSender(inbox.address).fd)).toStrictEqual({
      ...expected,
      localAddress: { family: 'unix' },
      peerAddress: inbox.address,
    })
  })

  test('of seqpackets that listens', () => {
    const address = {
      family: 'unix',
      abstract: new Uint8Array(Buffer.from('sdbridge-seq')),
    } as const
    const fd = bindSocket({ type: 'seqpacket', address })
    onTestFinished(() => closeFd(fd))
    expect(describeSocket(fd)).toStrictEqual({
      domain: 'unix',
      type: 'seqpacket',
      protocol: 0,
      listening: true,
      localAddress: address,
    })
  })
})

describe.runIf(works(PYTHON, '--version'))('a socket of another program', () => {
  /** Has Python make a socket and send it here. */
  async function received(expression: string): Promise<SocketFacts | undefined> {
    const inbox = new Inbox()
    const name = Buffer.from('abstract' in inbox.address ? inbox.address.abstract : [])
    const script = `
import socket, sys
made = ${expression}
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect(b'\\0' + bytes.fromhex(sys.argv[1]))
socket.send_fds(sender, [b'x'], [made.fileno()])`
    execFileSync(PYTHON, ['-c', script, name.toString('hex')])
    const [datagram] = await inbox.until(1)
    return describeSocket(datagram!.fds[0]!)
  }

  test('of a pair has a peer without a name', async () => {
    expect(await received('socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0]')).toStrictEqual(
      {
        domain: 'unix',
        type: 'dgram',
        protocol: 0,
        listening: false,
        localAddress: { family: 'unix' },
        peerAddress: { family: 'unix' },
      },
    )
  })

  test('of netlink is told by its number, and is no error', async () => {
    expect(await received('socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)')).toMatchObject({
      domain: 16,
      type: 'raw',
      protocol: 15,
      listening: false,
      localAddress: { family: 16, bytes: expect.any(Uint8Array) },
    })
  })
})

describe('a descriptor that is no socket', () => {
  test('is described as undefined', () => {
    const { readFd, writeFd } = new TestPipe()
    const file = openSync('/etc/hostname', 'r')
    onTestFinished(() => closeSync(file))
    expect([readFd, writeFd, file].map(describeSocket)).toEqual([undefined, undefined, undefined])
  })

  test('and is not open throws EBADF', () => {
    const socket = openSocket()
    const { fd } = socket
    socket.close()
    for (const closed of [fd, -1]) {
      expect(() => describeSocket(closed)).toThrow(
        expect.objectContaining({
          code: 'EBADF',
          syscall: 'getsockopt',
          message: `EBADF: bad file descriptor, getsockopt 'fd ${closed}'`,
        }),
      )
    }
  })
})

test('a child’s pipe that Node made of a socket is one', async () => {
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] })
  onTestFinished(() => void child.kill())
  expect(describeSocket(fdOf(child.stdin))).toMatchObject({ domain: 'unix', type: 'stream' })
})
