import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openMessageQueue } from '../../../test/matrix/exercise/message-queue.mjs'
import { PYTHON, works } from '../../../test/support/real-program.js'
import {
  bindSocket,
  MessageQueue,
  type QueueMessage,
  type QueueOptions,
  type QueueReceiver,
  setNonBlocking,
  type SystemError,
} from '../src/index.js'
import { tick, until } from './inbox.js'
import { flagsOf, inherited } from './inherited.js'
import { isOpen } from './open-fds.js'
import { runFixture } from './program.js'

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
const HAS_QUEUES = works(PYTHON, '-c', 'import ctypes; ctypes.CDLL(None).mq_open')

/** A queue for one test, as a program inherits it, which keeps what it receives. */
class TestQueue {
  readonly fd: number
  readonly queue: MessageQueue
  readonly messages: QueueMessage[] = []
  readonly errors: SystemError[] = []

  constructor(fd: number) {
    this.fd = inherited(fd)
    this.queue = new MessageQueue(fd)
    onTestFinished(() => this.queue.close())
  }

  get texts(): string[] {
    return this.messages.map(({ data }) => data.toString())
  }

  receive(options: Partial<QueueOptions> = {}): QueueReceiver {
    return this.queue.receive({
      onMessages: (batch) => this.messages.push(...batch),
      onError: (error) => this.errors.push(error),
      ...options,
    })
  }

  /** The same queue, opened once more. */
  again(flags: number): TestQueue {
    return new TestQueue(openSync(`/proc/self/fd/${this.fd}`, flags))
  }
}

async function open(options?: { messages?: number; bytes?: number }): Promise<TestQueue> {
  return new TestQueue(await openMessageQueue(options))
}

/** Runs Python with `queue`, a descriptor of the queue, and `libc`. */
function python(queue: number, source: string): string {
  const beginning = 'import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); queue = 3\n'
  const stdio = ['ignore', 'pipe', 'inherit', queue] as const
  return execFileSync(PYTHON, ['-c', beginning + source], { stdio: [...stdio], encoding: 'utf8' })
}

describe.runIf(HAS_QUEUES)('a message queue', () => {
  test('brings what another program sent, the highest priority first, then the oldest', async () => {
    const opened = await open()
    const source = `
for text, priority in [(b'first', 0), (b'urgent', 32767), (b'second', 0), (b'', 7)]:
    libc.mq_send(queue, text, len(text), priority)`
    python(opened.fd, source)
    opened.receive()
    await until(() => opened.messages.length === 4)
    expect(opened.messages.map(({ data, priority }) => [data.toString(), priority])).toEqual([
      ['urgent', 32_767],
      ['', 7],
      ['first', 0],
      ['second', 0],
    ])
  })

  test('takes messages of its own priority to another program', async () => {
    const { fd, queue } = await open()
    expect(queue.trySend(Buffer.from('low'))).toBe(true)
    expect(queue.trySend(Buffer.from('high'), { priority: 3 })).toBe(true)
    const source = `
buffer, priority = ctypes.create_string_buffer(64), ctypes.c_uint()
for _ in range(2):
    length = libc.mq_receive(queue, buffer, 64, ctypes.byref(priority))
    print(buffer.raw[:length].decode(), priority.value)`
    expect(python(fd, source)).toBe('high 3\nlow 0\n')
  })

  test('that is inherited is close-on-exec and does not block, and tells what it is', async () => {
    const fd = inherited(await openMessageQueue({ messages: 3, bytes: 100 }))
    expect(flagsOf(fd)).toEqual({ cloexec: false, nonBlocking: false })
    const queue = new MessageQueue(fd)
    expect(queue.fd).toBe(fd)
    expect(flagsOf(fd)).toEqual({ cloexec: true, nonBlocking: true })
    queue.trySend(Buffer.from('x'))
    expect(queue.attributes).toEqual({ maxMessages: 3, messageBytes: 100, currentMessages: 1 })
    queue.close()
    queue.close()
    expect([queue.fd, isOpen(fd)]).toEqual([-1, false])
    for (const call of [() => queue.attributes, () => queue.trySend(Buffer.from('x'))]) {
      expect(call).toThrow(expect.objectContaining({ code: 'EBADF' }))
    }
    expect(() => queue.receive({ onMessages() {}, onError() {} })).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'mq_timedreceive' }),
    )
  })

  test('that is full takes no more, and says when it has room again', async () => {
    const full = await open({ messages: 2 })
    let calls = 0
    const room = (): void => full.queue.onceWritable(() => calls++)
    expect([1, 2, 3].map((each) => full.queue.trySend(Buffer.from(`${each}`)))).toEqual([
      true,
      true,
      false,
    ])
    room()
    for (let turn = 0; turn < 5; turn++) await tick()
    expect(calls).toBe(0)
    const other = full.again(O_RDONLY)
    other.receive()
    await until(() => calls === 1)
    expect(full.queue.trySend(Buffer.from('4'))).toBe(true)
    await until(() => other.texts.length === 3)
    expect(other.texts).toEqual(['1', '2', '4'])
  })

  test('never makes the event loop wait, even if another holder lets it block', async () => {
    const opened = await open({ messages: 1 })
    opened.queue.trySend(Buffer.from('x'))
    setNonBlocking(opened.fd, false)
    expect(opened.queue.trySend(Buffer.from('y'))).toBe(false)
    const receiver = opened.receive()
    expect([receiver.readBatch(), receiver.readBatch()]).toEqual([1, 0])
  })

  test('leaves messages where they are while it is paused', async () => {
    const opened = await open()
    const receiver = opened.receive()
    receiver.pause()
    opened.queue.trySend(Buffer.from('x'))
    for (let turn = 0; turn < 5; turn++) await tick()
    expect([opened.messages.length, opened.queue.attributes.currentMessages]).toEqual([0, 1])
    receiver.resume()
    await until(() => opened.messages.length === 1)
  })

  test('brings messages of the greatest length whole, and refuses a longer one', async () => {
    const opened = await open({ bytes: 8192 })
    expect(() => opened.queue.trySend(Buffer.alloc(8193))).toThrow(
      expect.objectContaining({ code: 'EMSGSIZE', syscall: 'mq_timedsend' }),
    )
    for (const fill of ['a', 'b', 'c', 'd']) opened.queue.trySend(Buffer.alloc(8192, fill))
    opened.receive()
    await until(() => opened.messages.length === 4)
    const texts = opened.messages.map(({ data }) => data.toString())
    expect(texts).toEqual(['a', 'b', 'c', 'd'].map((fill) => fill.repeat(8192)))
  })

  test('opened for receiving only says so when it is sent to, and receives', async () => {
    const both = await open()
    const opened = both.again(O_RDONLY | O_NONBLOCK)
    expect(() => opened.queue.trySend(Buffer.from('x'))).toThrow(
      expect.objectContaining({
        code: 'EBADF',
        errno: -9,
        syscall: 'mq_timedsend',
        message: `EBADF: bad file descriptor, mq_timedsend 'fd ${opened.fd}, a message queue opened for receiving only'`,
      }),
    )
    opened.receive()
    both.queue.trySend(Buffer.from('x'))
    await until(() => opened.messages.length === 1)
  })

  test('opened for sending only says so when there is something to receive', async () => {
    const opened = (await open()).again(O_WRONLY)
    opened.receive()
    opened.queue.trySend(Buffer.from('x'))
    await until(() => opened.errors.length === 1)
    const address = `fd ${opened.fd}, a message queue opened for sending only`
    expect(opened.errors[0]).toMatchObject({ code: 'EBADF', syscall: 'mq_timedreceive', address })
    for (let turn = 0; turn < 5; turn++) await tick()
    expect([opened.errors.length, opened.messages.length]).toEqual([1, 0])
  })

  test('is received from once, and closed by its own callback it brings no more', async () => {
    const opened = await open()
    let calls = 0
    const onMessages = (): void => {
      calls++
      opened.queue.close()
    }
    opened.receive({ onMessages })
    expect(() => opened.receive()).toThrow('messages are received from this already')
    opened.queue.trySend(Buffer.from('x'))
    await until(() => calls === 1)
    for (let turn = 0; turn < 5; turn++) await tick()
    expect([calls, opened.errors]).toEqual([1, []])
  })

  test('carries many messages in order, when its sender waits for room', async () => {
    const opened = await open({ messages: 10 })
    const other = opened.again(O_WRONLY)
    let sent = 0
    const send = (): void => {
      while (sent < 500 && other.queue.trySend(Buffer.from(`${sent}`))) sent++
      if (sent < 500) other.queue.onceWritable(send)
    }
    opened.receive()
    send()
    await until(() => opened.messages.length === 500)
    expect(opened.texts).toEqual(Array.from({ length: 500 }, (_, index) => `${index}`))
  })

  test.each([-1, 32_768, 1.5, Number.NaN, '1', null])('has no priority %s', async (priority) => {
    const { queue } = await open()
    expect(() => queue.trySend(Buffer.from('x'), { priority: priority as number })).toThrow(
      expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
    )
  })

  test('keeps the process alive while it receives, unless told not to', async () => {
    const outcome = await runFixture('message-queue-alive.mjs')
    expect(outcome).toEqual({ code: 0, signal: null, stdout: 'received x\nend\n', stderr: '' })
  })
})

test('what is no message queue stays the caller’s, as it was', () => {
  const file = inherited(openSync('/dev/null', 'r'))
  const socket = inherited(bindSocket({ type: 'dgram', address: { family: 'unix' } }))
  for (const [fd, kind] of [
    [file, 'character-device'],
    [socket, 'socket'],
  ] as const) {
    expect(() => new MessageQueue(fd)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: `descriptor ${fd} must be a POSIX message queue, and is of kind ${kind}`,
      }),
    )
    expect(flagsOf(fd)).toEqual({ cloexec: false, nonBlocking: false })
  }
  const closed = openSync('/dev/null', 'r')
  closeSync(closed)
  for (const fd of [closed, -1]) {
    expect(() => new MessageQueue(fd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  }
  expect(() => new MessageQueue(undefined as unknown as number)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  )
})
