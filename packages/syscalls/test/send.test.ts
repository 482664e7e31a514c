import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type SocketAddress } from '../src/index.js'
import { fillQueue, Inbox, openSender, openSocket, tick, until } from './inbox.js'
import { isOpen } from './open-fds.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

const nobody: SocketAddress = { family: 'unix', abstract: Buffer.from('sdbridge-nobody-here') }

describe("a receiver's full queue", () => {
  test('is no error: nothing is sent, and nothing is lost', async () => {
    const inbox = new Inbox()
    inbox.receiver.pause()
    const sender = openSender(inbox.address)
    const sent = fillQueue(sender)
    expect(sent).toBeGreaterThan(0)
    expect(sender.trySend(Buffer.from('no room'))).toBe(false)

    inbox.receiver.resume()
    await inbox.until(sent)
    await tick()
    expect(inbox.texts).toEqual(Array.from({ length: sent }, (_, index) => `${index}`))
  })

  test('with room again wakes the sender once, and all arrives in order', async () => {
    const inbox = new Inbox()
    inbox.receiver.pause()
    const sender = openSender(inbox.address)
    const most = 500
    let sent = fillQueue(sender)
    let wakeUps = 0
    function sendOn(): void {
      wakeUps++
      while (sent < most && sender.trySend(Buffer.from(`${sent}`))) sent++
      if (sent < most) sender.onceWritable(sendOn)
    }
    sender.onceWritable(sendOn)

    for (let turn = 0; turn < 10; turn++) await tick()
    expect(wakeUps).toBe(0)
    inbox.receiver.resume()
    await inbox.until(most)
    expect(inbox.texts).toEqual(Array.from({ length: most }, (_, index) => `${index}`))

    const before = wakeUps
    for (let turn = 0; turn < 10; turn++) await tick()
    expect(wakeUps).toBe(before)
  })

  test('whose owner is gone wakes the sender, and the next send says why', async () => {
    const inbox = new Inbox()
    inbox.receiver.pause()
    const sender = openSender(inbox.address)
    fillQueue(sender)
    const woken = new Promise<void>((resolve) => sender.onceWritable(resolve))
    inbox.socket.close()
    await woken
    expect(() => sender.trySend(Buffer.from('x'))).toThrow(
      expect.objectContaining({ code: 'ECONNREFUSED' }),
    )
  })

  test('wakes only the latest callback, and none after `undefined`', async () => {
    const inbox = new Inbox()
    inbox.receiver.pause()
    const [one, other] = [openSender(inbox.address), openSender(inbox.address)]
    fillQueue(one)
    const woken: string[] = []
    one.onceWritable(() => woken.push('first'))
    one.onceWritable(() => woken.push('latest'))
    other.onceWritable(() => woken.push('withdrawn'))
    other.onceWritable(undefined)
    inbox.receiver.resume()
    await until(() => woken.length > 0)
    for (let turn = 0; turn < 10; turn++) await tick()
    expect(woken).toEqual(['latest'])
  })
})

describe('an error', () => {
  test.each<[string, () => unknown, object]>([
    [
      'of an abstract name that nobody has',
      () => openSocket().trySend(Buffer.from('x'), { address: nobody }),
      {
        code: 'ECONNREFUSED',
        errno: -111,
        syscall: 'sendmsg',
        address: '@sdbridge-nobody-here',
        message: "ECONNREFUSED: connection refused, sendmsg '@sdbridge-nobody-here'",
      },
    ],
    [
      'of a path that does not exist',
      () => openSocket().trySend(Buffer.from('x'), { address: { family: 'unix', path: '/no/a' } }),
      {
        code: 'ENOENT',
        errno: -2,
        syscall: 'sendmsg',
        address: '/no/a',
        message: "ENOENT: no such file or directory, sendmsg '/no/a'",
      },
    ],
    [
      'of connecting to nobody',
      () => openSocket().connect(nobody),
      { code: 'ECONNREFUSED', syscall: 'connect', address: '@sdbridge-nobody-here' },
    ],
    [
      'of a socket without a receiver',
      () => openSocket().trySend(Buffer.from('x')),
      {
        code: 'ENOTCONN',
        errno: -107,
        syscall: 'sendmsg',
        message: 'ENOTCONN: socket is not connected, sendmsg',
      },
    ],
    [
      'of a message that no buffer can hold',
      () => openSender(new Inbox().address).trySend(Buffer.alloc(16 * 1024 * 1024)),
      { code: 'EMSGSIZE', errno: -90, syscall: 'sendmsg', address: expect.stringMatching(/^@/) },
    ],
    [
      'of a closed socket',
      () => {
        const socket = openSocket()
        socket.close()
        socket.trySend(Buffer.from('x'), { address: nobody })
      },
      { code: 'EBADF', errno: -9, syscall: 'sendmsg' },
    ],
    [
      'of an address of another family',
      () =>
        openSocket().trySend(Buffer.from('x'), {
          address: { family: 99, bytes: Buffer.of(99, 0) },
        }),
      { code: 'EINVAL', syscall: 'sendmsg', address: '(family 99)' },
    ],
  ])("%s looks like Node's own", (_what, attempt, shape) => {
    expect(attempt).toThrow(expect.objectContaining({ name: 'Error', ...shape }))
  })

  test('of a receiver that went away is ECONNREFUSED, and the socket can connect anew', async () => {
    const gone = new Inbox()
    const sender = openSender(gone.address)
    gone.socket.close()
    expect(() => sender.trySend(Buffer.from('x'))).toThrow(
      expect.objectContaining({ code: 'ECONNREFUSED' }),
    )
    const next = new Inbox()
    sender.connect(next.address)
    sender.trySend(Buffer.from('here'))
    await next.until(1)
    expect(next.texts).toEqual(['here'])
  })
})

describe('descriptors that travel along', () => {
  test('stay open and the sender’s, and work at the receiver', async () => {
    const inbox = new Inbox()
    const { readFd, writeFd } = new TestPipe()
    openSender(inbox.address).trySend(Buffer.from('x'), { fds: [writeFd, readFd] })
    expect([readFd, writeFd].map(isOpen)).toEqual([true, true])

    const { fds } = (await inbox.until(1))[0]!
    expect(fds).toHaveLength(2)
    writeSync(fds[0]!, 'through the copy')
    const buffer = Buffer.alloc(100)
    expect(buffer.toString('utf8', 0, readSync(readFd, buffer))).toBe('through the copy')
  })

  test('can be 253, in their order; 254 are E2BIG, and nothing is sent', async () => {
    const inbox = new Inbox()
    const sender = openSender(inbox.address)
    const ends = new TestPipe()
    const { readFd, writeFd } = ends
    const fds = Array.from({ length: 253 }, (_, index) => (index % 3 === 0 ? readFd : writeFd))
    expect(() => sender.trySend(Buffer.from('254'), { fds: [...fds, readFd] })).toThrow(
      expect.objectContaining({ code: 'E2BIG', errno: -7, syscall: 'sendmsg' }),
    )
    sender.trySend(Buffer.from('253'), { fds })
    const [datagram] = await inbox.until(1)
    expect(inbox.texts).toEqual(['253'])
    expect(datagram!.controlTruncated).toBe(false)
    expect(datagram!.fds).toHaveLength(253)
    ends.closeRead()
    // The copies of the reading end must be where it was in the list.
    const buffer = Buffer.alloc(1)
    for (const [index, fd] of datagram!.fds.entries()) {
      if (index % 3 !== 0) continue
      writeSync(writeFd, '.')
      expect(readSync(fd, buffer)).toBe(1)
    }
  })

  test('are none with an empty list', async () => {
    const inbox = new Inbox()
    openSender(inbox.address).trySend(Buffer.from('x'), { fds: [] })
    expect((await inbox.until(1))[0]!.fds).toEqual([])
  })

  test('that are not open fail the message with EBADF', () => {
    const sender = openSender(new Inbox().address)
    const fd = openSync('/dev/null', 'r')
    closeSync(fd)
    expect(() => sender.trySend(Buffer.from('x'), { fds: [fd] })).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'sendmsg' }),
    )
  })

  test.each([Number.NaN, -1, 1.5, 2 ** 32, undefined, '1'])(
    'with %s among them are refused, not taken for standard input',
    (wrong) => {
      const sender = openSender(new Inbox().address)
      expect(() => sender.trySend(Buffer.from('x'), { fds: [wrong as number] })).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
      )
    },
  )
})

test('a send buffer is raised, never lowered', () => {
  const inbox = new Inbox()
  const sender = openSender(inbox.address)
  sender.raiseSendBuffer(1)
  expect(sender.trySend(Buffer.alloc(100_000))).toBe(true)
})

test('closing twice is harmless, and closes nothing of the next owner of the number', () => {
  const socket = openSocket()
  const { fd } = socket
  socket.close()
  expect(socket.fd).toBe(-1)
  const next = openSync('/dev/null', 'r')
  onTestFinished(() => closeSync(next))
  expect(next).toBe(fd)
  socket.close()
  expect(isOpen(next)).toBe(true)
})
