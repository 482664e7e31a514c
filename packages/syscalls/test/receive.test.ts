import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { type ReceivedMessage, DatagramSocket } from '../src/index.js'
import { fillQueue, Inbox, openSender, openSocket, tick, until } from './inbox.js'
import { runFixture } from './program.js'
import { catchUncaught } from './uncaught.js'

describe('a datagram', () => {
  test('that is empty is a message like the others', async () => {
    const inbox = new Inbox()
    const sender = openSender(inbox.address)
    for (const text of ['before', '', 'after']) sender.trySend(Buffer.from(text))
    await inbox.until(3)
    expect(inbox.texts).toEqual(['before', '', 'after'])
    expect(inbox.datagrams[1]).toMatchObject({ fullLength: 0, truncated: false })
  })

  test('of exactly the greatest length is whole; with one byte more it is marked', async () => {
    const inbox = new Inbox()
    const sender = openSender(inbox.address)
    sender.trySend(Buffer.alloc(4096, 'a'))
    sender.trySend(Buffer.alloc(4097, 'b'))
    sender.trySend(Buffer.alloc(100_000, 'c'))
    sender.trySend(Buffer.from('next'))
    await inbox.until(4)
    const facts = inbox.datagrams.map(({ data, fullLength, truncated }) => {
      return [data.toString('utf8', 0, 4), data.length, fullLength, truncated]
    })
    expect(facts).toEqual([
      ['aaaa', 4096, 4096, false],
      ['bbbb', 4096, 4097, true],
      ['cccc', 4096, 100_000, true],
      ['next', 4, 4, false],
    ])
  })

  test.each([1, 65_536, 200_000])('is taken up to %i bytes if that is asked for', async (most) => {
    const inbox = new Inbox({ maxBytes: most })
    const sender = openSender(inbox.address)
    // One after the other: our send buffer does not hold two of the longest.
    for (const [index, length] of [most, most + 1, 0].entries()) {
      sender.trySend(Buffer.alloc(length, 'x'))
      await inbox.until(index + 1)
    }
    expect(inbox.datagrams.map(({ data, truncated }) => [data.length, truncated])).toEqual([
      [most, false],
      [most, true],
      [0, false],
    ])
  })

  test('keeps its bytes when later ones arrive', async () => {
    const inbox = new Inbox()
    const sender = openSender(inbox.address)
    for (let index = 0; index < 100; index++) {
      sender.trySend(Buffer.alloc(4096, index))
      await inbox.until(index + 1)
    }
    const wrong = inbox.datagrams.filter(({ data }, index) => data.some((byte) => byte !== index))
    expect(wrong).toEqual([])
  })

  test('says who sent it: this process', async () => {
    const inbox = new Inbox()
    openSender(inbox.address).trySend(Buffer.from('x'))
    const own = { pid: process.pid, uid: process.getuid!(), gid: process.getgid!() }
    expect((await inbox.until(1))[0]!.sender).toEqual(own)
  })

  test.runIf(isRoot())('says who sent it: another process and user', async () => {
    const inbox = new Inbox()
    const name = Buffer.from('abstract' in inbox.address ? inbox.address.abstract : [])
    const ids = { uid: 65_533, gid: 65_534 }
    const outcome = await runFixture('send-pid.mjs', [name.toString('hex')], {
      env: { ...process.env, TEST_IDS: `${ids.uid}:${ids.gid}` },
    })
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    const [datagram] = await inbox.until(1)
    expect(datagram!.sender).toEqual({ pid: Number(datagram!.data), ...ids })
    expect(datagram!.sender!.pid).not.toBe(process.pid)
  })

  test('that came between bind and receive says who sent it too', async () => {
    const socket = openSocket()
    const address = { family: 'unix', abstract: Buffer.from('sdbridge-early') } as const
    socket.bind(address)
    openSocket().trySend(Buffer.from('early'), { address })
    const datagrams: ReceivedMessage[] = []
    socket.receive({ onMessages: (batch) => datagrams.push(...batch), onError: () => {} })
    await until(() => datagrams.length > 0)
    expect(datagrams[0]!.sender!.pid).toBe(process.pid)
  })
})

describe('datagrams', () => {
  test('that are there already come in one batch, oldest first', async () => {
    const inbox = new Inbox()
    const sent = fillQueue(openSender(inbox.address))
    await inbox.until(sent)
    // More than 64 have room where net.unix.max_dgram_qlen is what systemd makes it.
    expect(inbox.batches[0]).toBe(Math.min(sent, 64))
    expect(inbox.texts).toEqual(Array.from({ length: sent }, (_, index) => `${index}`))
  })

  test('come at most 64 in a batch, or as many as the buffer holds', async () => {
    const inbox = new Inbox({ maxBytes: 16_384 })
    const sender = openSender(inbox.address)
    let sent = 0
    await new Promise<void>((resolve) => {
      function sendOn(): void {
        while (sent < 300 && sender.trySend(Buffer.alloc(sent % 3 === 0 ? 16_384 : 1))) sent++
        if (sent < 300) sender.onceWritable(sendOn)
        else resolve()
      }
      sendOn()
    })
    await inbox.until(300)
    expect(inbox.datagrams.map(({ data }) => data.length)).toEqual(
      Array.from({ length: 300 }, (_, index) => (index % 3 === 0 ? 16_384 : 1)),
    )
    expect(Math.max(...inbox.batches)).toBeLessThanOrEqual(64)
  })

  test('of a paused receiver stay in the kernel, where senders wait', async () => {
    const inbox = new Inbox()
    const sender = openSender(inbox.address)
    inbox.receiver.pause()
    inbox.receiver.pause()
    const sent = fillQueue(sender)
    for (let turn = 0; turn < 10; turn++) await tick()
    expect(inbox.datagrams).toEqual([])
    expect(sender.trySend(Buffer.from('x'))).toBe(false)

    inbox.receiver.resume()
    inbox.receiver.resume()
    await inbox.until(sent)
    expect(sender.trySend(Buffer.from('x'))).toBe(true)
  })

  test('stop between two batches for a receiver that is paused in onMessages', async () => {
    const batches: string[][] = []
    const inbox = new Inbox({
      onMessages: (batch) => {
        batches.push(batch.map(({ data }) => data.toString()))
        inbox.receiver.pause()
      },
    })
    const sender = openSender(inbox.address)
    sender.trySend(Buffer.from('one'))
    await until(() => batches.length === 1)
    sender.trySend(Buffer.from('two'))
    for (let turn = 0; turn < 10; turn++) await tick()
    expect(batches).toEqual([['one']])
    inbox.receiver.resume()
    await until(() => batches.length === 2)
    expect(batches).toEqual([['one'], ['two']])
  })
})

test('what has arrived can be had at once', async () => {
  const inbox = new Inbox()
  openSender(inbox.address).trySend(Buffer.from('x'))
  inbox.receiver.readBatch()
  expect(inbox.texts).toEqual(['x'])
  inbox.receiver.readBatch()
  for (let turn = 0; turn < 10; turn++) await tick()
  expect(inbox.batches).toEqual([1])
  inbox.receiver.pause()
  openSender(inbox.address).trySend(Buffer.from('y'))
  inbox.receiver.readBatch()
  expect(inbox.texts).toEqual(['x'])
})

describe('onMessages', () => {
  test('can close the socket, and is not called again', async () => {
    let calls = 0
    const errors: Error[] = []
    const inbox = new Inbox({
      onMessages: () => {
        calls++
        inbox.socket.close()
      },
      onError: (error) => errors.push(error),
    })
    const sender = openSender(inbox.address)
    sender.trySend(Buffer.from('one'))
    await until(() => calls > 0)
    expect(() => sender.trySend(Buffer.from('two'))).toThrow(
      expect.objectContaining({ code: 'ECONNREFUSED' }),
    )
    for (let turn = 0; turn < 10; turn++) await tick()
    expect([calls, errors]).toEqual([1, []])
  })

  test('that throws is an uncaught exception, and the receiver goes on', async () => {
    const caught = catchUncaught()
    const texts: string[] = []
    const inbox = new Inbox({
      onMessages: (batch) => {
        texts.push(...batch.map(({ data }) => data.toString()))
        if (texts.length === 1) throw new Error('of the program')
      },
    })
    const sender = openSender(inbox.address)
    sender.trySend(Buffer.from('one'))
    await until(() => caught.length > 0)
    sender.trySend(Buffer.from('two'))
    await until(() => texts.length === 2)
    expect(caught.map(({ message }) => message)).toEqual(['of the program'])
    expect(texts).toEqual(['one', 'two'])
  })

  test('that throws after each full batch is called again all the same', async () => {
    const caught = catchUncaught()
    let received = 0
    // Room for one message in a batch, so that each batch is full.
    const inbox = new Inbox({
      maxBytes: 1024 * 1024,
      onMessages: (batch) => {
        received += batch.length
        throw new Error('of the program')
      },
    })
    const sent = fillQueue(openSender(inbox.address))
    await until(() => received === sent)
    expect(caught.length).toBeGreaterThan(0)
    expect(inbox.errors).toEqual([])
  })
})

describe('a socket', () => {
  test('is received from once', () => {
    const inbox = new Inbox()
    expect(() => inbox.socket.receive({ onMessages() {}, onError() {} })).toThrow(
      'messages are received from this already',
    )
  })

  test('that is closed cannot be received from', () => {
    const socket = new DatagramSocket('unix')
    socket.close()
    expect(() => socket.receive({ onMessages() {}, onError() {} })).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'recvmsg' }),
    )
  })

  test.each([0, -1, 1.5, Number.NaN, 0x40_0001])('refuses maxBytes of %d', (maxBytes) => {
    const options = { onMessages() {}, onError() {}, maxBytes }
    expect(() => openSocket().receive(options)).toThrow(
      expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
    )
  })

  test('whose peer turned away reports it once and receives no more', async () => {
    const inbox = new Inbox()
    const peer = new Inbox()
    peer.socket.connect(inbox.address)
    inbox.socket.connect(peer.address)
    // The kernel says so only where a message was lost by it.
    peer.receiver.pause()
    inbox.socket.trySend(Buffer.from('lost'))
    peer.socket.connect(new Inbox().address)
    await until(() => inbox.errors.length > 0)
    for (let turn = 0; turn < 10; turn++) await tick()
    expect(inbox.errors).toEqual([
      expect.objectContaining({ code: 'ECONNRESET', errno: -104, syscall: 'recvmsg' }),
    ])
  })

  test.runIf(works(PYTHON, '--version'))(
    'that another holder shut down reports it once, instead of spinning',
    async () => {
      const inbox = new Inbox()
      openSender(inbox.address).trySend(Buffer.from('before'))
      const shutDown = 'import socket; socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)'
      execFileSync(PYTHON, ['-c', shutDown], {
        stdio: ['ignore', 'inherit', 'inherit', inbox.socket.fd],
      })
      await until(() => inbox.errors.length > 0)
      for (let turn = 0; turn < 10; turn++) await tick()
      expect(inbox.texts).toEqual(['before'])
      expect(inbox.errors).toEqual([
        expect.objectContaining({ code: 'ESHUTDOWN', errno: -108, syscall: 'recvmsg' }),
      ])
    },
  )
})
