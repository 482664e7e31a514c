import { closeSync, openSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  bindSocket,
  closeFd,
  DatagramSocket,
  describeSocket,
  type ReceivedMessage,
  type SystemError,
} from '../src/index.js'
import { native } from '../src/native.js'
import { AF_NETLINK, encodeSocketAddress } from '../src/socket-address.js'
import { SOL_SOCKET } from '../src/socket-facts.js'
import { check } from '../src/system-error.js'
import { freeAddress } from './conversation.js'
import { openSocket, tick, until } from './inbox.js'
import { flagsOf, inherited, inheritedSocket } from './inherited.js'
import { isOpen } from './open-fds.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

const [AF_UNIX, AF_INET, SOCK_DGRAM, SOCK_RAW] = [1, 2, 2, 3]
const NETLINK_USERSOCK = 2
const SO_RCVBUF = 8
const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1
/** A `sockaddr_nl` of netlink(7) that lets the kernel choose. */
const anyPort = Uint8Array.of(AF_NETLINK, 0, ...Array<number>(10).fill(0))

/** Takes a descriptor over for one test and keeps what it receives. */
function adopt(fd: number): {
  socket: DatagramSocket
  messages: ReceivedMessage[]
  errors: SystemError[]
  receive: () => void
} {
  const socket = DatagramSocket.adopt(fd)
  onTestFinished(() => socket.close())
  const messages: ReceivedMessage[] = []
  const errors: SystemError[] = []
  const receive = (): void => {
    socket.receive({
      onMessages: (batch) => messages.push(...batch),
      onError: (error) => errors.push(error),
    })
  }
  return { socket, messages, errors, receive }
}

/** A bound netlink socket, as of `ListenNetlink=`, and its address. */
function boundNetlink(group: number): {
  fd: number
  address: { family: number; bytes: Uint8Array }
} {
  const fd = inheritedSocket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
  check(native().bind(fd, anyPort), 'bind')
  check(native().setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group), 'setsockopt')
  const address = describeSocket(fd)!.localAddress
  if (!('bytes' in address)) throw new Error('not an address of netlink')
  return { fd, address }
}

describe('a unix datagram socket that was inherited', () => {
  test('receives, and names whoever sends from its adoption on', async () => {
    const fd = inheritedSocket(AF_UNIX, SOCK_DGRAM)
    check(native().bind(fd, encodeSocketAddress({ family: 'unix' })), 'bind')
    const address = describeSocket(fd)!.localAddress
    openSocket().trySend(Buffer.from('before'), { address })
    const { messages, receive, socket } = adopt(fd)
    openSocket().trySend(Buffer.from('after'), { address })
    receive()
    await until(() => messages.length === 2)
    expect(socket.fd).toBe(fd)
    expect(messages.map(({ data }) => data.toString())).toEqual(['before', 'after'])
    expect(messages.map(({ sender }) => sender?.pid)).toEqual([0, process.pid])
  })

  test('is close-on-exec, does not block, and is closed by close()', async () => {
    const fd = inherited(bindSocket({ type: 'dgram', address: freeAddress() }))
    expect(flagsOf(fd)).toEqual({ cloexec: false, nonBlocking: false })
    const { socket } = adopt(fd)
    expect(flagsOf(fd)).toEqual({ cloexec: true, nonBlocking: true })
    socket.close()
    await until(() => !isOpen(fd))
  })

  test('that is connected sends to its peer, and an error names that', () => {
    const address = freeAddress()
    const receiver = bindSocket({ type: 'dgram', address })
    const fd = inheritedSocket(AF_UNIX, SOCK_DGRAM)
    check(native().connect(fd, encodeSocketAddress(address)), 'connect')
    const { socket } = adopt(fd)
    expect(socket.trySend(Buffer.from('x'))).toBe(true)
    closeFd(receiver)
    expect(() => socket.trySend(Buffer.from('x'))).toThrow(
      expect.objectContaining({
        code: 'ECONNREFUSED',
        address: expect.stringMatching(/^@sdbridge/) as unknown,
      }),
    )
  })
})

describe('a netlink socket that was inherited', () => {
  test('sends and receives, with the sender', async () => {
    const here = boundNetlink(1)
    const there = adopt(boundNetlink(1).fd)
    const { messages, receive, socket } = adopt(here.fd)
    expect(flagsOf(here.fd)).toEqual({ cloexec: true, nonBlocking: true })
    receive()
    there.socket.trySend(Buffer.from('of netlink'), { address: here.address })
    await until(() => messages.length === 1)
    expect(messages[0]!.data.toString()).toBe('of netlink')
    expect(messages[0]!.sender).toMatchObject({ pid: process.pid })
    socket.close()
    expect(isOpen(here.fd)).toBe(false)
  })

  test.runIf(process.getuid!() === 0)(
    'that has lost messages says so and receives on',
    async () => {
      const { fd } = boundNetlink(2)
      check(native().setsockopt(fd, SOL_SOCKET, SO_RCVBUF, 2304), 'setsockopt')
      const { errors, messages, receive } = adopt(fd)
      const other = boundNetlink(3)
      const sender = adopt(other.fd).socket
      // To all of group 2, and to itself: without a receiver that has a port, it would be refused.
      const bytes = other.address.bytes.slice()
      bytes[8] = 1 << 1
      const address = { family: AF_NETLINK, bytes }
      for (let count = 0; count < 100; count++) sender.trySend(Buffer.alloc(500), { address })
      receive()
      await until(() => errors.length > 0)
      expect(errors[0]).toMatchObject({ code: 'ENOBUFS', syscall: 'recvmsg' })
      // Until the queue is empty, more may be lost.
      while (messages.at(-1)?.data.toString() !== 'after') {
        sender.trySend(Buffer.from('after'), { address })
        await tick()
      }
      expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['ENOBUFS']))
    },
  )
})

test('what is no unix or vsock datagram or netlink socket stays the caller’s, as it was', () => {
  const stream = inheritedSocket(AF_UNIX, 1)
  const udp = inheritedSocket(AF_INET, SOCK_DGRAM)
  const listener = inherited(bindSocket({ type: 'seqpacket', address: freeAddress() }))
  const file = inherited(openSync('/dev/null', 'r'))
  for (const [fd, found] of [
    [stream, 'a socket of unix, stream'],
    [udp, 'a socket of inet, dgram'],
    [listener, 'a listening socket of unix, seqpacket'],
    [file, 'no socket'],
  ] as const) {
    expect(() => DatagramSocket.adopt(fd)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: `descriptor ${fd} must be a unix or vsock datagram or netlink socket, and is ${found}`,
      }),
    )
    expect(flagsOf(fd)).toEqual({ cloexec: false, nonBlocking: false })
  }
})

test('what is not open, or no number, is refused', () => {
  const { readFd } = new TestPipe()
  const fd = inheritedSocket(AF_UNIX, SOCK_DGRAM)
  closeSync(fd)
  for (const closed of [fd, -1]) {
    expect(() => DatagramSocket.adopt(closed)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  }
  for (const wrong of [undefined, null, '3', 1.5, Number.NaN]) {
    expect(() => DatagramSocket.adopt(wrong as number)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    )
  }
  expect(isOpen(readFd)).toBe(true)
})
