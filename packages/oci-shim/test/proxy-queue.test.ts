import { closeSync, openSync, unlinkSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { closeForeignFds, DatagramSocket } from '@sdbridge/syscalls'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { Bench, until } from './proxy/bench.js'
import { fillQueue } from './proxy/busy.js'
import { linkOf, openFds } from './proxy/open-fds.js'
import { program, Program } from './proxy/program.js'
import { RawManager } from './proxy/raw-manager.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

/** A manager that does not read, and has a full queue, until `manager.receiver.resume()`. */
function busyBench(): { bench: Bench; manager: RawManager; filled: number } {
  const manager = new RawManager()
  manager.receiver.pause()
  const filled = fillQueue(manager.path)
  return { bench: new Bench({ upstream: manager.path }), manager, filled }
}

/** What the manager got after what made it busy. */
async function textsAfter(manager: RawManager, filled: number, count: number): Promise<string[]> {
  await manager.until(filled + count)
  return manager.texts.slice(filled)
}

/** Closes what came with a message, as a manager does that has read it: it is a barrier, and the count-th message. */
async function acknowledge(manager: RawManager, count: number): Promise<void> {
  await manager.until(count)
  closeForeignFds(manager.messages[count - 1]!.fds.splice(0))
}

test('while the manager is busy, messages wait in their order', async () => {
  const { bench, filled, manager } = busyBench()
  const texts = Array.from({ length: 100 }, (_, index) => `ERRNO=${index}`)
  for (const text of texts) await bench.send(text)
  await until(() => bench.proxy.counters.waiting === 100)
  expect(bench.proxy.counters).toMatchObject({ received: 100, forwarded: 0 })
  manager.receiver.resume()
  expect(await textsAfter(manager, filled, 100)).toEqual(texts)
})

test('a lone ping and a lone status give way to later ones, and nothing else does', async () => {
  const { bench, filled, manager } = busyBench()
  const texts = ['WATCHDOG=1', 'STATUS=1', 'READY=1\nSTATUS=2', 'STATUS=3', 'WATCHDOG=1']
  texts.push('WATCHDOG=trigger', 'WATCHDOG=1\nSTATUS=4', 'READY=1', 'READY=1', 'STATUS=5')
  for (const text of texts) await bench.send(text)
  await until(() => bench.proxy.counters.received === texts.length)
  manager.receiver.resume()
  expect(await textsAfter(manager, filled, 7)).toEqual([
    'READY=1\nSTATUS=2',
    'WATCHDOG=1',
    'WATCHDOG=trigger',
    'WATCHDOG=1\nSTATUS=4',
    'READY=1',
    'READY=1',
    'STATUS=5',
  ])
  expect(bench.proxy.counters.superseded).toBe(3)
})

test('what stands before a barrier stays there: the barrier says that it was read', async () => {
  const { bench, filled, manager } = busyBench()
  const { writeFd } = new TestPipe()
  await bench.send('STATUS=1')
  await bench.send('BARRIER=1', [writeFd])
  await bench.send('STATUS=2')
  await bench.send('STATUS=3')
  await until(() => bench.proxy.counters.received === 4)
  manager.receiver.resume()
  expect(await textsAfter(manager, filled, 3)).toEqual(['STATUS=1', 'BARRIER=1', 'STATUS=3'])
})

test('when too many wait, the payload’s socket is not read; nothing is lost, and the order kept', async () => {
  const { bench, filled, manager } = busyBench()
  // A queue that is full for its sender: the kernel's, and as much as waits here.
  let sent = 0
  for (let idle = 0; idle < 100;) {
    if (bench.trySend(`X_N=${sent}`)) {
      sent++
      idle = 0
    } else {
      idle++
      await delay(1)
    }
  }
  const { received, waiting } = bench.proxy.counters
  expect(received).toBe(waiting)
  expect(waiting).toBeGreaterThanOrEqual(512)
  expect(waiting).toBeLessThanOrEqual(512 + 64)
  expect(sent).toBeGreaterThan(received)

  manager.receiver.resume()
  const texts = await textsAfter(manager, filled, sent)
  expect(texts).toEqual(Array.from({ length: sent }, (_, index) => `X_N=${index}`))
  await bench.send('READY=1')
  expect(await textsAfter(manager, filled, sent + 1)).toContain('READY=1')
})

test('pings fill no queue, and the payload is read all the time', async () => {
  const { bench, filled, manager } = busyBench()
  for (let count = 0; count < 5_000; count++) await bench.send('WATCHDOG=1')
  await until(() => bench.proxy.counters.received === 5_000)
  expect(bench.proxy.counters.waiting).toBe(1)
  manager.receiver.resume()
  expect(await textsAfter(manager, filled, 1)).toEqual(['WATCHDOG=1'])
})

test('descriptors fill a queue, too', async () => {
  const { bench, filled, manager } = busyBench()
  const { writeFd } = new TestPipe()
  let sent = 0
  for (let idle = 0; idle < 100;) {
    if (bench.trySend('BARRIER=1', [writeFd])) {
      sent++
      idle = 0
    } else {
      idle++
      await delay(1)
    }
  }
  expect(bench.proxy.counters.waiting).toBeLessThanOrEqual(512 + 64)
  manager.receiver.resume()
  for (let count = 1; count <= sent; count++) await acknowledge(manager, filled + count)
  expect(manager.texts.slice(filled)).toEqual(Array(sent).fill('BARRIER=1'))
})

test('a manager that has not acknowledged a barrier is not sent another one, nor what is behind it', async () => {
  const manager = new RawManager()
  const bench = new Bench({ upstream: manager.path })
  const [first, second] = [new TestPipe(), new TestPipe()]
  await bench.send('BARRIER=1', [first.writeFd])
  await bench.send('ERRNO=1')
  await bench.send('BARRIER=1', [second.writeFd])
  await bench.send('WATCHDOG=1')
  await until(() => bench.proxy.counters.received === 4)
  expect(bench.proxy.counters).toMatchObject({ barriers: 1, waiting: 2 })
  await manager.until(2)
  await acknowledge(manager, 1)
  await manager.until(4)
  expect(manager.texts).toEqual(['BARRIER=1', 'ERRNO=1', 'BARRIER=1', 'WATCHDOG=1'])
})

test('what the manager closes itself is not the last: the bridge has its own until all was read', async () => {
  const manager = new RawManager()
  const bench = new Bench({ upstream: manager.path, store: { prefix: '', limit: Infinity } })
  const sent = openSync(bench.directory, 'r')
  const link = linkOf(sent)
  const copies = (): number => openFds().filter((open) => open.endsWith(link)).length
  await bench.send('FDSTORE=1', [sent, sent])
  closeSync(sent)
  await manager.until(2)
  expect(manager.texts).toEqual(['FDSTORE=1\nFDNAME=stored', 'BARRIER=1'])
  closeForeignFds(manager.messages[0]!.fds.splice(0))
  await until(() => copies() === 2)
  await delay(30)
  expect(copies()).toBe(2)
  await acknowledge(manager, 2)
  await until(() => copies() === 0)
  // It is the bridge's own, of which its counters do not tell.
  expect(bench.proxy.counters).toMatchObject({ received: 1, forwarded: 1, barriers: 0, waiting: 0 })
})

test('a manager that is not there yet: messages wait until it is', async () => {
  const path = new Bench({ upstream: undefined }).managerPath
  const bench = new Bench({ upstream: path })
  await bench.send('READY=1')
  await bench.send('STATUS=early')
  await until(() => bench.proxy.counters.waiting === 2)
  const manager = new RawManager(path)
  expect((await manager.until(2)).map(({ data }) => data.toString())).toEqual([
    'READY=1',
    'STATUS=early',
  ])
})

test('a manager that is gone, and another one in its place', async () => {
  const first = new RawManager()
  const bench = new Bench({ upstream: first.path })
  await bench.send('ERRNO=1')
  await first.until(1)
  first.close()
  for (const errno of [2, 3, 4]) await bench.send(`ERRNO=${errno}`)
  await until(() => bench.proxy.counters.waiting === 3)
  // As bind(2) has it, the name must be free.
  unlinkSync(first.path)
  const second = new RawManager(first.path)
  await second.until(3)
  expect(second.texts).toEqual(['ERRNO=2', 'ERRNO=3', 'ERRNO=4'])
  await bench.send('ERRNO=5')
  await second.until(4)
})

test('a busy manager that goes while messages wait for it', async () => {
  const { bench, manager } = busyBench()
  await bench.send('READY=1')
  await until(() => bench.proxy.counters.waiting === 1)
  manager.close()
  unlinkSync(manager.path)
  const second = new RawManager(manager.path)
  await second.until(1)
  expect(second.texts).toEqual(['READY=1'])
})

test('there is no timer but while a manager is away', async () => {
  const directory = temporaryDirectory()
  const [path, manager] = [`${directory}/notify.sock`, `${directory}/manager.sock`]
  const proxy = new Program(process.execPath, program('count-timers.mjs'), path, manager)
  expect(await proxy.line(0)).toBe('idle: 0')
  const payload = new DatagramSocket('unix')
  onTestFinished(() => payload.close())
  payload.connect({ family: 'unix', path })
  payload.trySend(Buffer.from('READY=1'))
  expect(await proxy.line(1)).toBe('waiting: 1')
  await new RawManager(manager).until(1)
  expect(await proxy.line(2)).toBe('idle: 0')
})

test('a barrier whose sender has given up is dropped while the manager is away', async () => {
  const path = `${new Bench({ upstream: undefined }).managerPath}.not-there`
  const bench = new Bench({ upstream: path })
  const barrier = new TestPipe()
  await bench.send('STATUS=1')
  await bench.send('BARRIER=1', [barrier.writeFd])
  barrier.closeWrite()
  await until(() => bench.proxy.counters.waiting === 2)
  await delay(50)
  expect(bench.reasons).toEqual([])

  barrier.closeRead()
  await until(() => bench.proxy.counters.waiting === 1)
  expect(bench.reasons).toEqual(['barrier-given-up'])
})

test('idle() waits for the manager, and for what is in the kernel’s queue', async () => {
  const { bench, filled, manager } = busyBench()
  let isIdle = false
  await bench.send('READY=1')
  const idle = bench.proxy.idle().then(() => (isIdle = true))
  await delay(30)
  expect(isIdle).toBe(false)
  manager.receiver.resume()
  await idle
  await manager.until(filled + 1)
  // Nothing has told the event loop of this one.
  bench.trySend('STOPPING=1')
  await bench.proxy.idle()
  expect(bench.proxy.counters.forwarded).toBe(2)
})

test('close() lets go of what waits, and ends the waiting', async () => {
  const { bench } = busyBench()
  const barrier = new TestPipe()
  await bench.send('READY=1')
  await bench.send('BARRIER=1', [barrier.writeFd])
  barrier.closeWrite()
  await until(() => bench.proxy.counters.waiting === 2)
  const idle = bench.proxy.idle()
  bench.proxy.close()
  bench.proxy.close()
  await idle
  await barrier.released()
})

test('what is thrown by a callback does not stop what comes behind', async () => {
  const thrown: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => thrown.push(error.message))
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  const bench = new Bench({
    onForwarded: () => {
      throw new Error('forwarded')
    },
    onDropped: () => {
      throw new Error('dropped')
    },
    init: () => {
      throw new Error('init')
    },
  })
  const { writeFd } = new TestPipe()
  await bench.send('READY=1\nMAINPID=1', [writeFd])
  await bench.send('RELOADING=1\nMONOTONIC_USEC=5')
  await bench.send('STATUS=x')
  expect(await bench.said()).toHaveLength(3)
  await until(() => thrown.length === 5)
  expect(new Set(thrown)).toEqual(new Set(['forwarded', 'dropped']))
  const pipe = linkOf(writeFd)
  await until(() => openFds().filter((open) => open.endsWith(pipe)).length === 2)
})
