import { AsyncLocalStorage } from 'node:async_hooks'
import { spawn } from 'node:child_process'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeFd, FdWatcher, pidfdOpen, pipe, type Readiness } from '../src/index.js'
import { Inbox, openSender, tick, until } from './inbox.js'
import { isOpen } from './open-fds.js'
import { runFixture } from './program.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

const nothing: Readiness = { readable: false, writable: false, hangup: false, error: false }

interface Watched {
  watcher: FdWatcher
  seen: Readiness[]
}

function watch(fd: number): Watched {
  const seen: Readiness[] = []
  const watcher = new FdWatcher(fd, (readiness) => seen.push(readiness))
  onTestFinished(() => watcher.close())
  return { watcher, seen }
}

async function severalTicks(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await tick()
}

describe('a watcher', () => {
  test('is silent until it is armed', async () => {
    const { readFd, writeFd } = new TestPipe()
    const { seen } = watch(readFd)
    writeSync(writeFd, 'x')
    await severalTicks()
    expect(seen).toEqual([])
  })

  test('speaks once each time that it is armed', async () => {
    const { readFd, writeFd } = new TestPipe()
    const { watcher, seen } = watch(readFd)
    watcher.arm('readable')
    await severalTicks()
    expect(seen).toEqual([])

    writeSync(writeFd, 'x')
    await until(() => seen.length > 0)
    await severalTicks()
    expect(seen).toEqual([{ ...nothing, readable: true }])

    watcher.arm('readable')
    await until(() => seen.length > 1)
    expect(seen).toHaveLength(2)
  })

  test('that is armed in its own callback leaves the rest of the event loop its turn', async () => {
    const { writeFd } = new TestPipe()
    const order: string[] = []
    const watcher = new FdWatcher(writeFd, () => {
      order.push('ready')
      setImmediate(() => order.push('turn'))
      // At the latest possible moment of this callback.
      process.nextTick(() => watcher.arm('writable'))
    })
    onTestFinished(() => watcher.close())
    watcher.arm('writable')
    await until(() => order.length >= 20)
    expect(order.slice(0, 20)).toEqual(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'ready' : 'turn')),
    )
  })

  test('with another interest forgets the one before', async () => {
    const ends = new TestPipe()
    const { watcher, seen } = watch(ends.writeFd)
    watcher.arm('hangup')
    watcher.arm('writable')
    await until(() => seen.length > 0)
    expect(seen).toEqual([{ ...nothing, writable: true }])
    ends.closeRead()
    watcher.arm('writable')
    await until(() => seen.length > 1)
    expect(seen[1]).toEqual({ ...nothing, writable: true, error: true })
  })

  test("that waits for nothing but the other end's close hears of nothing else", async () => {
    const ends = new TestPipe()
    const { watcher, seen } = watch(ends.readFd)
    watcher.arm('hangup')
    writeSync(ends.writeFd, 'x')
    await severalTicks()
    expect(seen).toEqual([])
    ends.closeWrite()
    await until(() => seen.length > 0)
    expect(seen).toEqual([{ ...nothing, hangup: true }])
  })

  test('of a pidfd hears of the end of the process', async () => {
    const child = spawn('cat')
    const pidfd = pidfdOpen(child.pid!)
    onTestFinished(() => closeFd(pidfd))
    const { watcher, seen } = watch(pidfd)
    watcher.arm('readable')
    await severalTicks()
    expect(seen).toEqual([])
    child.stdin.end()
    await until(() => seen.length > 0)
    expect(seen[0]).toMatchObject({ readable: true })
  })

  test('keeps the asynchronous context that it was made in', async () => {
    const storage = new AsyncLocalStorage<string>()
    const { writeFd } = new TestPipe()
    let seen: string | undefined
    const watcher = storage.run('of the maker', () => {
      return new FdWatcher(writeFd, () => (seen = storage.getStore()))
    })
    onTestFinished(() => watcher.close())
    watcher.arm('writable')
    await until(() => seen !== undefined)
    expect(seen).toBe('of the maker')
  })

  test('is the only one of its descriptor', () => {
    const { readFd } = new TestPipe()
    const { watcher } = watch(readFd)
    expect(() => new FdWatcher(readFd, () => {})).toThrow(
      expect.objectContaining({ code: 'EEXIST' }),
    )
    watcher.close()
    const next = new FdWatcher(readFd, () => {})
    next.close()
    next.close()
  })

  test.each([
    ['a regular file, which is always ready', 'EPERM', () => openSync('/etc/hostname', 'r')],
    ['a descriptor that is not open', 'EBADF', () => 99_999],
  ])('cannot be armed for %s', (_what, code, open) => {
    const fd = open()
    const { watcher } = watch(fd)
    onTestFinished(() => {
      if (isOpen(fd)) closeSync(fd)
    })
    expect(() => watcher.arm('readable')).toThrow(
      expect.objectContaining({ code, syscall: 'epoll_ctl' }),
    )
  })
})

describe('a closed watcher', () => {
  test('is silent although it was armed and its descriptor is ready', async () => {
    const { readFd, writeFd } = new TestPipe()
    const { watcher, seen } = watch(readFd)
    watcher.arm('readable')
    writeSync(writeFd, 'x')
    watcher.close()
    watcher.arm('readable')
    await severalTicks()
    expect(seen).toEqual([])
  })

  test('in its own callback is silent although it was armed again', async () => {
    const { writeFd } = new TestPipe()
    let calls = 0
    const watcher = new FdWatcher(writeFd, () => {
      calls++
      watcher.arm('writable')
      watcher.close()
    })
    watcher.arm('writable')
    await until(() => calls > 0)
    await severalTicks()
    expect(calls).toBe(1)
  })

  test('does not speak to the next watcher of the same number', async () => {
    for (let round = 0; round < 200; round++) {
      const { readFd, writeFd } = pipe()
      const first = watch(readFd)
      writeSync(writeFd, 'x')
      first.watcher.arm('readable')
      // The thread has, or has not, seen it by now.
      if (round % 2 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
      first.watcher.close()
      closeFd(readFd)
      closeFd(writeFd)

      const next = pipe()
      expect(next.readFd).toBe(readFd)
      const second = watch(next.readFd)
      second.watcher.arm('readable')
      await tick()
      expect([first.seen, second.seen]).toEqual([[], []])
      second.watcher.close()
      closeFd(next.readFd)
      closeFd(next.writeFd)
    }
  })
})

describe('a descriptor that was closed before its watcher', () => {
  test('cannot be armed for any more, and closing the watcher is harmless', () => {
    const ends = new TestPipe()
    const { watcher } = watch(ends.readFd)
    watcher.arm('readable')
    ends.closeRead()
    expect(() => watcher.arm('readable')).toThrow(expect.objectContaining({ code: 'EBADF' }))
    watcher.close()
  })

  test('and whose file lives on elsewhere does not disturb the next owner of the number', async () => {
    const ends = new TestPipe()
    const { readFd, writeFd } = ends
    // On its way in a message, the file stays open, and with it the kernel's note of who watches it.
    const inbox = new Inbox()
    inbox.receiver.pause()
    openSender(inbox.address).trySend(Buffer.from('x'), { fds: [readFd] })
    const first = watch(readFd)
    first.watcher.arm('readable')
    ends.closeRead()
    first.watcher.close()

    const next = new TestPipe()
    expect(next.readFd).toBe(readFd)
    const second = watch(next.readFd)
    second.watcher.arm('readable')
    writeSync(writeFd, 'for the first')
    await severalTicks()
    expect(second.seen).toEqual([])
    writeSync(next.writeFd, 'x')
    await until(() => second.seen.length > 0)
    expect(readSync(next.readFd, Buffer.alloc(10))).toBe(1)
  })
})

test.each([
  ['everything was closed', 'closed'],
  ['everything was unref’d', 'unrefd'],
  ['a sender waited once and has its room', 'sender'],
  ['sockets only send', 'sending'],
])('a process ends by itself when %s', async (_when, how) => {
  const outcome = await runFixture('end.mjs', [how])
  expect(outcome).toEqual({ code: 0, signal: null, stdout: 'last line\n', stderr: '' })
})

test.each(['watcher', 'receiver', 'paused receiver', 'waiting sender', 'taken back'])(
  'a process goes on while there is a %s',
  async (what) => {
    const outcome = await runFixture('end.mjs', [what])
    expect(outcome).toMatchObject({ code: 7, stdout: 'last line\n' })
  },
)
