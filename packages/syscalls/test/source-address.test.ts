import { fstatSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import {
  DatagramSocket,
  describeSocket,
  type ReceivedMessage,
  type SocketAddress,
} from '../src/index.js'
import { native } from '../src/native.js'
import { AF_NETLINK } from '../src/socket-address.js'
import { check } from '../src/system-error.js'
import { freeAddress } from './conversation.js'
import { Inbox, openSocket, until } from './inbox.js'
import { inheritedSocket } from './inherited.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

/** A socket with an address, for one test. */
function bound(address: SocketAddress): DatagramSocket {
  const socket = openSocket()
  socket.bind(address)
  return socket
}

test('a service answers each client at the address that its message came from', async () => {
  const service = new Inbox({ addresses: true })
  const addresses = [
    freeAddress(),
    { family: 'unix', path: join(temporaryDirectory(), 'c') },
  ] as const
  const clients = addresses.map((address) => new Inbox({}, address))
  for (const [index, { socket }] of clients.entries()) {
    socket.trySend(Buffer.from(`question ${index}`), { address: service.address })
  }
  const questions = await service.until(2)
  expect(questions.map(({ address }) => address)).toEqual(clients.map(({ address }) => address))
  for (const { data, address } of questions) {
    service.socket.trySend(Buffer.from(`answer to ${data.toString()}`), { address: address! })
  }
  for (const [index, client] of clients.entries()) {
    await client.until(1)
    expect(client.texts).toEqual([`answer to question ${index}`])
  }
})

test('a sender that is not bound has no address', async () => {
  const inbox = new Inbox({ addresses: true })
  openSocket().trySend(Buffer.from('x'), { address: inbox.address })
  const [message] = await inbox.until(1)
  expect(message).not.toHaveProperty('address')
})

test('without asking there is none', async () => {
  const inbox = new Inbox()
  bound(freeAddress()).trySend(Buffer.from('x'), { address: inbox.address })
  const [message] = await inbox.until(1)
  expect(message).not.toHaveProperty('address')
})

test('addresses of all lengths, descriptors and payloads are kept apart', async () => {
  const inbox = new Inbox({ addresses: true })
  const { readFd } = new TestPipe()
  const name = Buffer.from(`sdbridge-test-addresses-${process.pid}`)
  const senders = Array.from({ length: 107 - name.length }, (_, length) => {
    const abstract = Buffer.concat([name, Buffer.alloc(length + 1, 'x')])
    return bound({ family: 'unix', abstract })
  })
  for (const [index, sender] of senders.entries()) {
    const fds = Array<number>(index % 4).fill(readFd)
    while (!sender.trySend(Buffer.from(`${index}`), { address: inbox.address, fds })) {
      await inbox.until(index)
    }
    // The kernel's queue holds few of them.
    if (index % 8 === 7) await inbox.until(index + 1)
  }
  const messages = await inbox.until(senders.length)
  expect(messages.map(({ address }) => address)).toEqual(
    senders.map(({ fd }) => describeSocket(fd)!.localAddress),
  )
  expect(inbox.texts).toEqual(senders.map((_, index) => `${index}`))
  expect(messages.map(({ fds }) => fds.length)).toEqual(senders.map((_, index) => index % 4))
  const { ino } = fstatSync(readFd, { bigint: true })
  const inodes = messages.flatMap(({ fds }) => fds.map((fd) => fstatSync(fd, { bigint: true }).ino))
  expect(new Set(inodes)).toEqual(new Set([ino]))
})

test('of netlink, an address is its bytes', async () => {
  const NETLINK_USERSOCK = 2
  const [here, there] = [1, 2].map(() => {
    const socket = DatagramSocket.adopt(inheritedSocket(AF_NETLINK, 3, NETLINK_USERSOCK))
    onTestFinished(() => socket.close())
    const anyPort = Uint8Array.of(AF_NETLINK, 0, ...Array<number>(10).fill(0))
    check(native().bind(socket.fd, anyPort), 'bind')
    return socket
  })
  const messages: ReceivedMessage[] = []
  there!.receive({
    addresses: true,
    onMessages: (batch) => messages.push(...batch),
    onError: (error) => expect.unreachable(error.message),
  })
  there!.trySend(Buffer.from('to myself'), { address: describeSocket(there!.fd)!.localAddress })
  here!.trySend(Buffer.from('to you'), { address: describeSocket(there!.fd)!.localAddress })
  await until(() => messages.length === 2)
  expect(messages.map(({ address }) => address)).toEqual(
    [there!, here!].map(({ fd }) => describeSocket(fd)!.localAddress),
  )
  expect(messages[0]!.address).toMatchObject({ family: 16, bytes: { length: 12 } })
})
