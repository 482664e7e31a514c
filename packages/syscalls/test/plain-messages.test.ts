import { closeSync, openSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { PlainMessages } from '../src/index.js'
import { connectedPair } from './conversation.js'
import { fillQueue, Inbox, openSender } from './inbox.js'
import { catchUncaught } from './uncaught.js'

function textsOf({ count, payloads, offset, length }: PlainMessages): string[] {
  return Array.from({ length: count }, (_, index) =>
    payloads.toString('utf8', offset(index), offset(index) + length(index)),
  )
}

describe('messages of payload alone', () => {
  test('are offered in front; what is not taken arrives as usual, in order', async () => {
    const offered: string[][] = []
    const inbox = new Inbox({
      onPlain(messages) {
        offered.push(textsOf(messages))
        expect(messages.pid(0)).toBe(process.pid)
        return Math.min(2, messages.count)
      },
    })
    const sender = openSender(inbox.address)
    for (const text of ['a', '', 'c', 'd']) sender.trySend(Buffer.from(text))
    await inbox.until(2)
    expect(offered).toEqual([['a', '', 'c', 'd']])
    expect(inbox.texts).toEqual(['c', 'd'])
    for (const text of ['e', 'f']) sender.trySend(Buffer.from(text))
    inbox.receiver.readBatch()
    expect(inbox.batches).toEqual([2, 0])
  })

  test('end at the first with descriptors, and at the first that is cut off', async () => {
    const offered: string[][] = []
    const inbox = new Inbox({
      maxBytes: 3,
      onPlain(messages) {
        offered.push(textsOf(messages))
        return messages.count
      },
    })
    const sender = openSender(inbox.address)
    const fd = openSync('/dev/null', 'r')
    onTestFinished(() => closeSync(fd))
    sender.trySend(Buffer.from('a'))
    sender.trySend(Buffer.from('b'), { fds: [fd] })
    sender.trySend(Buffer.from('c'))
    inbox.receiver.readBatch()
    sender.trySend(Buffer.from('long'))
    inbox.receiver.readBatch()
    sender.trySend(Buffer.from('end'))
    inbox.receiver.readBatch()
    expect(offered).toEqual([['a'], ['end']])
    expect(inbox.texts).toEqual(['b', 'c', 'lon'])
    expect(inbox.datagrams[0]!.fds).toHaveLength(1)
  })

  // Of packets a queue holds more than of datagrams.
  test('come as four batches before a turn ends, if all of each are taken', async () => {
    const turns: (number[] | string)[] = [[]]
    let take = (count: number): number => count
    const { client, server } = await connectedPair('seqpacket', {
      onPlain({ count }) {
        const turn = turns.at(-1) as number[]
        turn.push(count)
        return take(count)
      },
      onMessages: (batch) => turns.push(`${batch.length} left`, []),
    })
    server.receiver.pause()
    const send = (count: number): void => {
      while (count-- > 0) expect(client.connection.trySend(Buffer.from('a'))).toBe(1)
    }
    send(259)
    server.receiver.resume()
    expect(server.receiver.readBatch()).toBe(256)
    expect(server.receiver.readBatch()).toBe(3)
    expect(turns).toEqual([[64, 64, 64, 64], '0 left', [3], '0 left', []])

    turns.length = 0
    turns.push([])
    take = (count) => count - 1
    send(70)
    expect(server.receiver.readBatch()).toBe(64)
    take = (count) => {
      server.receiver.pause()
      return count
    }
    send(100)
    expect(server.receiver.readBatch()).toBe(64)
    expect(server.receiver.readBatch()).toBe(0)
    expect(turns).toEqual([[64], '1 left', [64], '0 left', []])
  })

  test('arrive as usual if the callback throws', async () => {
    const caught = catchUncaught()
    const inbox = new Inbox({
      onPlain() {
        throw new Error('mine')
      },
    })
    openSender(inbox.address).trySend(Buffer.from('a'))
    await inbox.until(1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(caught.map(({ message }) => message)).toEqual(['mine'])
    expect(inbox.texts).toEqual(['a'])
  })
})

describe('a batch', () => {
  const payloads = Buffer.from('xabcdefgh')

  test('is sent in order, from where it lies', async () => {
    const inbox = new Inbox()
    const sender = openSender(inbox.address)
    expect(sender.trySendBatch(payloads, Int32Array.of(1, 2, 6, 3, 3, 0))).toBe(3)
    expect(sender.trySendBatch(payloads, new Int32Array())).toBe(0)
    await inbox.until(3)
    expect(inbox.texts).toEqual(['ab', 'fgh', ''])
  })

  test('ends where the receiver has no room, and where nobody is', async () => {
    const inbox = new Inbox()
    inbox.receiver.pause()
    const sender = openSender(inbox.address)
    const room = fillQueue(sender)
    inbox.receiver.resume()
    await inbox.until(room)
    inbox.receiver.pause()
    const ranges = Int32Array.from({ length: 2 * (room + 5) }, (_, index) => index % 2)
    expect(sender.trySendBatch(payloads, ranges)).toBe(room)
    expect(sender.trySendBatch(payloads, ranges)).toBe(0)
    inbox.socket.close()
    expect(sender.trySendBatch(payloads, ranges)).toBe(0)
  })

  test.each([[[0, 10]], [[-1, 1]], [[0, -1]], [[0, 1, 9, 1]], [[0x7fff_ffff, 0x7fff_ffff]]])(
    'outside of the memory is refused, and nothing is sent: %j',
    (ranges) => {
      const inbox = new Inbox()
      const sender = openSender(inbox.address)
      expect(() => sender.trySendBatch(payloads, Int32Array.from(ranges))).toThrow(TypeError)
      expect(inbox.receiver.readBatch()).toBe(0)
    },
  )
})
