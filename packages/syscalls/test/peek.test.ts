import { describe, expect, onTestFinished, test } from 'vitest'
import {
  closeFd,
  DatagramSocket,
  describeSocket,
  duplicateFd,
  FdWatcher,
  pipe,
  type PeekingReceiver,
  type PeekOptions,
  type ReceivedMessage,
} from '../src/index.js'
import { fillQueue, openSender, openSocket, until } from './inbox.js'
import { isOpen, openFds } from './open-fds.js'

/** Takes messages, as far as it is to. */
class Peeker {
  readonly texts: string[] = []
  readonly messages: ReceivedMessage[] = []
  readonly errors: string[] = []
  readonly socket = openSocket()
  readonly receiver: PeekingReceiver
  /** What `onMessage` returns, in turn, and true from then on. */
  readonly answers: boolean[]

  constructor(answers: boolean[] = [], options: Partial<PeekOptions> = {}) {
    this.answers = answers
    this.socket.bind({ family: 'unix' })
    this.receiver = this.socket.peek({
      onMessage: (message) => {
        this.messages.push(message)
        this.texts.push(message.data.toString())
        return this.answers.shift() ?? true
      },
      onError: (error) => this.errors.push(error.code),
      ...options,
    })
  }

  get address() {
    return describeSocket(this.socket.fd)!.localAddress
  }
}

describe('messages that stay in the kernel until they have been dealt with', () => {
  test('come one by one, in order, with their sender', async () => {
    const peeker = new Peeker()
    const sender = openSender(peeker.address)
    for (const text of ['a', '', 'c']) sender.trySend(Buffer.from(text))
    await until(() => peeker.texts.length === 3)
    expect(peeker.texts).toEqual(['a', '', 'c'])
    expect(peeker.messages[0]!.sender?.pid).toBe(process.pid)
    expect(peeker.receiver.readBatch()).toBe(0)
  })

  test('one that was not dealt with is the next reader’s, and what came after it', async () => {
    const peeker = new Peeker([true, false])
    const sender = openSender(peeker.address)
    for (const text of ['a', 'b', 'c']) sender.trySend(Buffer.from(text))
    expect(peeker.receiver.readBatch()).toBe(1)
    expect(peeker.receiver.readBatch()).toBe(0)
    expect(peeker.texts).toEqual(['a', 'b'])
    peeker.receiver.resume()
    await until(() => peeker.texts.length === 4)
    expect(peeker.texts).toEqual(['a', 'b', 'b', 'c'])
  })

  test('the queue has room when one has been released, and not before', async () => {
    const peeker = new Peeker([false])
    const sender = openSender(peeker.address)
    const count = fillQueue(sender)
    await until(() => peeker.texts.length === 1)
    expect(sender.trySend(Buffer.from('more'))).toBe(false)
    peeker.answers.push(false)
    peeker.receiver.release()
    await until(() => peeker.texts.length === 2)
    expect(peeker.texts).toEqual(['0', '1'])
    expect(sender.trySend(Buffer.from('more'))).toBe(true)
    peeker.receiver.release()
    peeker.receiver.release()
    await until(() => peeker.texts.length === count + 1)
    expect(peeker.texts.at(-1)).toBe('more')
  })

  test('those of payload alone are offered as they are', async () => {
    const plain: string[] = []
    const peeker = new Peeker([], {
      onPlain: ({ count, payloads, offset, length, pid }) => {
        expect(count).toBe(1)
        expect(pid(0)).toBe(process.pid)
        const text = payloads.toString('utf8', offset(0), offset(0) + length(0))
        plain.push(text)
        return text !== 'no'
      },
    })
    const sender = openSender(peeker.address)
    for (const text of ['yes', 'no', '']) sender.trySend(Buffer.from(text))
    await until(() => plain.length === 3)
    expect(peeker.texts).toEqual(['no'])
  })

  test('descriptors are borrowed: new ones each time, and none is left', async () => {
    const before = openFds()
    const { readFd, writeFd } = pipe()
    let isClosed = false
    const watcher = new FdWatcher(readFd, () => (isClosed = true))
    watcher.arm('hangup')
    const open: boolean[] = []
    const peeker = new Peeker([], {
      onMessage: ({ fds }) => {
        open.push(fds.length === 1 && isOpen(fds[0]!))
        return false
      },
    })
    const sender = openSender(peeker.address)
    sender.trySend(Buffer.from('a'), { fds: [writeFd] })
    closeFd(writeFd)
    await until(() => open.length === 1)
    peeker.receiver.resume()
    await until(() => open.length === 2)
    expect([open, isClosed]).toEqual([[true, true], false])
    peeker.receiver.release()
    await until(() => isClosed)
    watcher.close()
    closeFd(readFd)
    sender.close()
    peeker.socket.close()
    await until(() => openFds().length <= before.length)
  })

  test('closed in the middle, it leaves the message to whoever has the socket, and no descriptor here', async () => {
    const { readFd, writeFd } = pipe()
    const peeker = new Peeker([false])
    const kept = duplicateFd(peeker.socket.fd)
    const sender = openSender(peeker.address)
    sender.trySend(Buffer.from('a'), { fds: [writeFd] })
    await until(() => peeker.texts.length === 1)
    const [fd] = peeker.messages[0]!.fds
    peeker.socket.close()
    await until(() => !isOpen(fd!))
    const next = DatagramSocket.adopt(kept)
    onTestFinished(() => next.close())
    const texts: string[] = []
    next.peek({
      onMessage: ({ data, fds }) => texts.push(`${data.toString()} ${fds.length}`) > 0,
      onError: () => {},
    })
    await until(() => texts.length === 1)
    expect(texts).toEqual(['a 1'])
    closeFd(readFd)
    closeFd(writeFd)
  })

  test('a long one is cut off, and leaves the queue whole', async () => {
    const peeker = new Peeker([], { maxBytes: 3 })
    const sender = openSender(peeker.address)
    sender.trySend(Buffer.from('long'))
    sender.trySend(Buffer.from('end'))
    await until(() => peeker.texts.length === 2)
    expect(peeker.texts).toEqual(['lon', 'end'])
    expect(peeker.messages[0]).toMatchObject({ truncated: true, fullLength: 4 })
  })

  test('a callback may close the socket', async () => {
    const peeker = new Peeker([], {
      onMessage: () => {
        peeker.socket.close()
        return true
      },
    })
    const sender = openSender(peeker.address)
    sender.trySend(Buffer.from('a'))
    sender.trySend(Buffer.from('b'))
    await until(() => peeker.socket.fd === -1)
    expect(peeker.errors).toEqual([])
  })
})
