import { describe, expect, onTestFinished, test } from 'vitest'
import { Connection } from '../src/connection.js'
import {
  bindPrivilegedPort,
  bindSocket,
  closeFd,
  connectSocket,
  describeSocket,
  openConnection,
  type SocketAddress,
} from '../src/index.js'
import { native } from '../src/native.js'
import { DOMAINS, TYPES } from '../src/socket-facts.js'
import { acceptOne, freeAddress } from './conversation.js'
import { openSocket, tick, until } from './inbox.js'
import { openFds } from './open-fds.js'
import { runFixture } from './program.js'

describe.each(['stream', 'seqpacket'] as const)('a %s connection that is opened first', (type) => {
  test('is connected at once where there is room', async () => {
    const address = freeAddress()
    const accepted = acceptOne(type, address)
    const connection = openConnection('unix', type)
    onTestFinished(() => connection.close())
    expect(connection.tryConnect(address)).toBe(true)
    connection.trySend(Buffer.from('hello'))
    connection.endSending()
    const server = await accepted
    await until(() => server.ends === 1)
    expect(server.text).toBe('hello')
  })

  test('is not connected where a queue is full, and tries again', async () => {
    const address = freeAddress()
    const fd = bindSocket({ type, address, backlog: 0 })
    const [first, second] = [openConnection('unix', type), openConnection('unix', type)]
    onTestFinished(() => [first, second].forEach((each) => each.close()))
    expect(first.tryConnect(address)).toBe(true)
    expect(second.tryConnect(address)).toBe(false)
    await acceptOne(type, fd)
    expect(second.tryConnect(address)).toBe(true)
  })

  test('that nobody accepts is an error, and stays open', () => {
    const connection = openConnection('unix', type)
    onTestFinished(() => connection.close())
    expect(() => connection.tryConnect(freeAddress())).toThrow(
      expect.objectContaining({ code: 'ECONNREFUSED', syscall: 'connect' }),
    )
    expect(connection.fd).toBeGreaterThan(2)
  })
})

// vsock answers later, and few kernels can be talked to over it. TCP does, too.
describe('a connection that takes its time', () => {
  test('is connected when the other end has answered', async () => {
    const { address } = listenOnTcp(10)
    const connection = openTcp()
    while (!connection.tryConnect(address)) await tick()
    expect(describeSocket(connection.fd)!.peerAddress).toEqual(address)

    const other = openTcp()
    await other.connect(address)
    expect(describeSocket(other.fd)!.peerAddress).toEqual(address)
  })

  test('that is refused is an error', async () => {
    const { address, close } = listenOnTcp(10)
    close()
    await expect(openTcp().connect(address)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      syscall: 'connect',
    })
  })

  test('can be given up', async () => {
    const { address } = listenOnTcp(0)
    const pending = await fillQueue(address)
    const abort = new AbortController()
    const connecting = pending.connect(address, abort.signal)
    abort.abort(new Error('enough'))
    await expect(connecting).rejects.toThrow('enough')
    await expect(pending.connect(address, abort.signal)).rejects.toThrow('enough')
    expect(pending.tryConnect(address)).toBe(false)
  })

  test('that is given up does not keep the process alive', async () => {
    const { code, signal, stdout } = await runFixture('give-up-connecting.mjs', [], {
      timeout: 20_000,
    })
    expect([code, signal, stdout]).toEqual([0, null, 'enough'])
  })
})

test('connectSocket leaves nothing open where it fails', async () => {
  const before = openFds()
  const address = freeAddress()
  const abort = AbortSignal.abort(new Error('enough'))
  await expect(connectSocket({ type: 'stream', address })).rejects.toThrow('ECONNREFUSED')
  await expect(connectSocket({ type: 'stream', address, signal: abort })).rejects.toThrow('enough')
  expect(openFds()).toEqual(before)
})

test('only a vsock socket has a privileged port to bind to', () => {
  expect(() => bindPrivilegedPort(openSocket().fd)).toThrow(
    expect.objectContaining({ code: 'EINVAL', syscall: 'bind' }),
  )
})

function listenOnTcp(backlog: number): { address: SocketAddress; close: () => void } {
  const loopback: SocketAddress = { family: 'inet', address: '127.0.0.1', port: 0 }
  let fd = bindSocket({ type: 'stream', address: loopback, backlog })
  const close = (): void => {
    if (fd !== -1) closeFd(fd)
    fd = -1
  }
  onTestFinished(close)
  return { address: describeSocket(fd)!.localAddress, close }
}

function openTcp(): Connection {
  const connection = new Connection(native().socket(DOMAINS.inet, TYPES.stream, 0, 1), 'stream')
  onTestFinished(() => connection.close())
  return connection
}

/** Connects until nobody answers any more; returns the connection that waits. */
async function fillQueue(address: SocketAddress): Promise<Connection> {
  for (;;) {
    const connection = openTcp()
    let connected = false
    for (let turn = 0; turn < 20 && !connected; turn++) {
      connected = connection.tryConnect(address)
      await tick()
    }
    if (!connected) return connection
  }
}
