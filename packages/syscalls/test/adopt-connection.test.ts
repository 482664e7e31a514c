import { openSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  adoptConnection,
  bindSocket,
  closeFd,
  connectSocket,
  type ConnectionType,
  describeSocket,
} from '../src/index.js'
import { native } from '../src/native.js'
import { encodeSocketAddress } from '../src/socket-address.js'
import { TYPES } from '../src/socket-facts.js'
import { check } from '../src/system-error.js'
import { Conversation, freeAddress } from './conversation.js'
import { until } from './inbox.js'
import { flagsOf, inherited, inheritedSocket } from './inherited.js'
import { isOpen } from './open-fds.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

const [AF_UNIX, AF_INET] = [1, 2]

/** A descriptor that was accepted, as of `Accept=yes`, and the client at the other end. */
async function accepted(type: ConnectionType): Promise<{ fd: number; client: Conversation }> {
  const address = freeAddress()
  const listener = bindSocket({ type, address })
  onTestFinished(() => closeFd(listener))
  const client = new Conversation(await connectSocket({ type, address }))
  return { fd: inherited(check(native().accept(listener, 0), 'accept4')), client }
}

describe.each(['stream', 'seqpacket'] as const)('a %s connection that was inherited', (type) => {
  test('sends and receives, with descriptors and senders, and ends', async () => {
    const { fd, client } = await accepted(type)
    const { readFd } = new TestPipe()
    const connection = adoptConnection(fd)
    expect([connection.fd, connection.type]).toEqual([fd, type])
    expect(flagsOf(fd)).toEqual({ cloexec: true, nonBlocking: true })
    // Before anything is received: it is adoption that lets senders be named.
    client.connection.trySend(Buffer.from('question'), { fds: [readFd] })
    const server = new Conversation(connection)
    server.connection.trySend(Buffer.from('answer'))
    await until(() => server.messages.length === 1 && client.messages.length === 1)
    expect([server.text, client.text]).toEqual(['question', 'answer'])
    expect(server.messages[0]).toMatchObject({
      sender: { pid: process.pid },
      fds: [expect.any(Number)],
    })
    expect(connection.peer.pid).toBe(process.pid)
    client.connection.close()
    await until(() => server.ends === 1)
    connection.close()
    await until(() => !isOpen(fd))
  })

  test('whose other end has gone brings what that sent, and the end', async () => {
    const { fd, client } = await accepted(type)
    client.connection.trySend(Buffer.from('last words'))
    client.connection.close()
    await until(() => client.connection.fd === -1)
    const server = new Conversation(adoptConnection(fd))
    await until(() => server.ends === 1)
    expect([server.text, server.errors]).toEqual(['last words', []])
  })

  test('that was shut down both ways is at its end', async () => {
    const { fd } = await accepted(type)
    const SHUT_RDWR = 2
    check(native().shutdown(fd, SHUT_RDWR), 'shutdown')
    const server = new Conversation(adoptConnection(fd))
    await until(() => server.ends === 1)
  })

  test('is none if it listens, or is not connected', () => {
    const listener = inherited(bindSocket({ type, address: freeAddress() }))
    const fresh = inheritedSocket(AF_UNIX, TYPES[type])
    const bound = inheritedSocket(AF_UNIX, TYPES[type])
    check(native().bind(bound, encodeSocketAddress(freeAddress())), 'bind')
    expect(() => adoptConnection(listener)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message:
          `descriptor ${listener} must be a connected unix or vsock stream or seqpacket socket, ` +
          `and is a listening socket of unix, ${type}`,
      }),
    )
    for (const fd of [fresh, bound]) {
      expect(() => adoptConnection(fd)).toThrow(
        expect.objectContaining({ code: 'ENOTCONN', syscall: 'getpeername' }),
      )
    }
    for (const fd of [listener, fresh, bound]) {
      expect(flagsOf(fd)).toEqual({ cloexec: false, nonBlocking: false })
    }
  })
})

test('connections of other kinds stay the caller’s', () => {
  const datagram = inheritedSocket(AF_UNIX, TYPES.dgram)
  check(native().bind(datagram, encodeSocketAddress({ family: 'unix' })), 'bind')
  const self = encodeSocketAddress(describeSocket(datagram)!.localAddress)
  check(native().connect(datagram, self), 'connect')
  const udp = inheritedSocket(AF_INET, TYPES.dgram)
  const loopback = { family: 'inet', address: '127.0.0.1', port: 9 } as const
  check(native().connect(udp, encodeSocketAddress(loopback)), 'connect')
  for (const fd of [datagram, udp, inherited(openSync('/dev/null', 'r'))]) {
    expect(() => adoptConnection(fd)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    )
    expect(flagsOf(fd)).toEqual({ cloexec: false, nonBlocking: false })
  }
  expect(() => adoptConnection(-1)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})
