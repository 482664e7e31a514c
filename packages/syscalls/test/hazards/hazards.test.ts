import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  closeFd,
  DatagramSocket,
  describeSocket,
  FdWatcher,
  type Readiness,
} from '../../src/index.js'
import { Inbox, openSender, openSocket, until } from '../inbox.js'
import { type Outcome, run } from '../program.js'
import { TestPipe } from '../../../../test/support/test-pipe.js'

/** Runs a program of this directory; the limit on descriptors is for it alone. */
async function runHazard(name: string, limit?: number): Promise<Outcome> {
  const program = [process.execPath, '--expose-gc', file(name)]
  const ulimit = limit === undefined ? '' : `ulimit -n ${limit}; `
  return await run('/bin/sh', ['-c', `${ulimit}exec "$0" "$@"`, ...program])
}

const fine = { code: 0, signal: null, stderr: '' }

test('garbage collection closes no socket, and silences no receiver and no watcher', async () => {
  const outcome = await runHazard('garbage.mjs')
  expect(outcome).toEqual({ ...fine, stdout: '100 messages, 100 pipes\n' })
})

test(
  '100,000 messages with a descriptor each leave none behind',
  { timeout: 180_000 },
  async () => {
    const outcome = await runHazard('many-descriptors.mjs')
    expect(outcome).toMatchObject(fine)
    expect(JSON.parse(outcome.stdout)).toEqual({
      received: 100_001,
      copies: 100_001,
      // The pipe that travelled has ended: no copy is left here, there or in the kernel.
      hangup: true,
      left: [],
      there: [],
    })
  },
)

test('programs that are started meanwhile see no descriptor of ours', async () => {
  const outcome = await runHazard('children.mjs')
  expect(outcome).toMatchObject(fine)
  expect(JSON.parse(outcome.stdout)).toEqual({ seen: [] })
})

test('a full descriptor table is an error, loses what it must, and is no problem afterwards', async () => {
  const outcome = await runHazard('exhausted.mjs', 64)
  expect(outcome).toMatchObject(fine)
  expect(JSON.parse(outcome.stdout)).toEqual({
    socket: 'EMFILE socket',
    pipe: 'EMFILE pipe2',
    receive: 'EMFILE epoll_create1',
    full: {
      ...{ length: 4096, fullLength: 5000, truncated: true },
      ...{ controlTruncated: true, fds: 0, sender: true },
    },
    after: {
      ...{ length: 5, fullLength: 5, truncated: false },
      ...{ controlTruncated: false, fds: 3, sender: true },
    },
    left: 0,
  })
})

test(
  'every exported function survives all that it should not get',
  { timeout: 120_000 },
  async () => {
    const outcome = await runHazard('misuse-of-all.mjs')
    expect(outcome).toEqual({ ...fine, stdout: 'alive\n' })
  },
)

test("a Worker whose program closed our threads' descriptors ends", async () => {
  // The thread that cannot be reached keeps its memory, which AddressSanitizer would call a leak.
  vi.stubEnv('LSAN_OPTIONS', 'detect_leaks=0')
  onTestFinished(() => void vi.unstubAllEnvs())
  const outcome = await runHazard('closed-by-others.mjs')
  expect(outcome).toEqual({ ...fine, stdout: 'ended\n' })
})

describe('a socket that is closed', () => {
  test('twice is closed once: its number is the next one’s then', () => {
    const socket = new DatagramSocket('unix')
    const number = socket.fd
    socket.close()
    const next = openSocket()
    expect(next.fd).toBe(number)
    socket.close()
    expect(describeSocket(next.fd)).toMatchObject({ domain: 'unix' })
  })

  test('while it is armed for both ways says nothing more', async () => {
    const calls: string[] = []
    const inbox = new Inbox({ onMessages: () => calls.push('messages') })
    const sender = openSender(inbox.address)
    sender.receive({ onMessages: () => calls.push('messages'), onError: () => calls.push('error') })
    sender.onceWritable(() => calls.push('writable'))
    sender.trySend(Buffer.from('x'))
    sender.close()
    inbox.socket.close()
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(calls).toEqual([])
  })

  test('by the handler of another one, in the same turn, delivers nothing', async () => {
    const heard: string[] = []
    const pair: Inbox[] = ['one', 'two'].map((name, index) => {
      return new Inbox({
        onMessages: () => {
          heard.push(name)
          pair[1 - index]!.socket.close()
        },
      })
    })
    for (const { address } of pair) openSocket().trySend(Buffer.from('x'), { address })
    await until(() => heard.length > 0)
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(heard).toHaveLength(1)
  })

  test('in onceWritable is closed', async () => {
    const inbox = new Inbox()
    const sender = openSender(inbox.address)
    await new Promise<void>((resolve) => {
      sender.onceWritable(() => {
        sender.close()
        resolve()
      })
    })
    expect(sender.fd).toBe(-1)
  })
})

describe('a descriptor that somebody else closes', () => {
  test('in onReady, before it is armed again, is an error and no exception', async () => {
    const ends = new TestPipe()
    const seen: Readiness[] = []
    const watcher = new FdWatcher(ends.writeFd, (readiness) => {
      seen.push(readiness)
      if (seen.length > 1) return
      ends.closeWrite()
      watcher.arm('writable')
    })
    onTestFinished(() => watcher.close())
    watcher.arm('writable')
    await until(() => seen.length > 1)
    expect(seen[1]).toEqual({ readable: false, writable: false, hangup: false, error: true })
  })

  test('in onMessages is EBADF for onError', async () => {
    const inbox = new Inbox({ onMessages: () => closeFd(inbox.socket.fd) })
    openSender(inbox.address).trySend(Buffer.from('x'))
    await until(() => inbox.errors.length > 0)
    expect(inbox.errors).toEqual([expect.objectContaining({ code: 'EBADF', syscall: 'recvmsg' })])
  })
})

function file(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
