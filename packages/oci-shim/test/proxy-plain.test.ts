import { expect, test } from 'vitest'
import { Random } from '../../../test/support/random.js'
import { PlainNotification } from '../src/proxy/plain-notification.js'
import { Bench } from './proxy/bench.js'
import { RawManager } from './proxy/raw-manager.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

const LINES = [
  ...['READY=1', 'READY=1', 'WATCHDOG=1', 'STOPPING=1', 'STATUS=', 'STATUS=Serving = all; 100 %'],
  ...['READY=0', 'READY=1 ', 'READY', 'WATCHDOG=trigger', 'STATUSES=1', 'status=x', 'STATUS', 'S'],
  ...['STATUS=\t', 'STATUS=a\\b', 'STATUS=\u00e9', 'STATUS=\u007f', 'STATUS=\u0000', 'ERRNO=1'],
  ...['', 'X_A=b', 'MAINPID=1', '=', 'READY=1\r', 'STATUS= both ends '],
]

function makeMessage(random: Random): Buffer {
  const length = 1 + random.below(4)
  const lines = Array.from({ length }, () =>
    random.pick(random.chance(0.7) ? LINES.slice(0, 6) : LINES),
  )
  const end = random.chance(0.2) ? '\n' : ''
  const text = lines.join('\n') + end
  if (!random.chance(0.1)) return Buffer.from(text)
  // About as long as systemd reads, or longer.
  const room = 4096 + random.below(5) - 2 - text.length - '\nSTATUS='.length
  return Buffer.from(`${text}\nSTATUS=${'s'.repeat(room + (random.chance(0.2) ? 5000 : 0))}`)
}

test('what goes on as it came is what all the checks would make of it', async () => {
  const random = new Random(7)
  const [quick, careful] = [new RawManager(), new RawManager()]
  const all = new Bench({ upstream: quick.path })
  // Where the sender is looked at, nothing is passed on unread.
  const some = new Bench({ upstream: careful.path, senders: [process.getuid!()] })
  const plain = new PlainNotification()
  let taken = 0
  for (let round = 0; round < 3000; round++) {
    const message = makeMessage(random)
    if (plain.read(message, 0, message.length)) taken++
    for (const bench of [all, some]) {
      await bench.send(message)
      await bench.proxy.idle()
    }
  }
  quick.receiver.readBatch()
  careful.receiver.readBatch()
  await quick.until(all.proxy.counters.forwarded)
  await careful.until(some.proxy.counters.forwarded)
  expect(taken).toBeGreaterThan(500)
  expect(taken).toBeLessThan(2500)
  expect(quick.texts).toEqual(careful.texts)
  expect(JSON.stringify(all.forwarded)).toBe(JSON.stringify(some.forwarded))
  expect(all.drops).toEqual(some.drops)
  expect(all.proxy.counters).toEqual(some.proxy.counters)
})

test('a message is read where it lies among others', () => {
  const plain = new PlainNotification()
  const bytes = Buffer.from('READY=1WATCHDOG=1\nSTATUS=x\nSTOPPING=1')
  expect(plain.read(bytes, 0, 7)).toBe(true)
  expect(plain.assignments).toEqual({ ready: true })
  expect(plain.read(bytes, 0, 8)).toBe(false)
  expect(plain.read(bytes, 7, 20)).toBe(true)
  expect(plain.length).toBe(19)
  expect(Object.entries(plain.assignments)).toEqual([
    ['watchdog', true],
    ['status', 'x'],
  ])
  expect(plain.read(bytes, 18, 19)).toBe(true)
  expect(Object.keys(plain.assignments)).toEqual(['status', 'stopping'])
})

test('who needs no repeats hears of each kind of line once, and of all else always', async () => {
  const bench = new Bench({ repeats: false })
  // The first message of all opens the way to the manager, and goes by the queue.
  const messages = [
    'ERRNO=5',
    'WATCHDOG=1',
    'WATCHDOG=1',
    'WATCHDOG=1\nSTATUS=a',
    'STATUS=b',
    'ERRNO=5',
  ]
  for (const message of [...messages, 'STATUS=é', 'READY=1', 'STATUS=c\nREADY=1']) {
    await bench.send(message)
    await bench.said()
  }
  expect(bench.notifications).toHaveLength(9)
  expect(bench.forwarded).toEqual([
    { errno: 5 },
    { watchdog: true },
    { watchdog: true, status: 'a' },
    { errno: 5 },
    { status: 'é' },
    { ready: true },
  ])
})

test('what was not sent is not known', async () => {
  const bench = new Bench({ repeats: false })
  bench.manager!.pause()
  let count = 0
  while (bench.proxy.counters.waiting === 0 && count++ < 1000) {
    bench.trySend('WATCHDOG=1')
    await new Promise((resolve) => setImmediate(resolve))
  }
  await bench.send('READY=1')
  while (bench.proxy.counters.received <= 1) await new Promise((resolve) => setImmediate(resolve))
  expect(bench.forwarded).not.toContainEqual({ ready: true })
  bench.manager!.resume()
  await bench.said()
  expect(bench.forwarded.at(-1)).toEqual({ ready: true })
})

test('what is longer than systemd reads is none of these', () => {
  const plain = new PlainNotification()
  const bytes = Buffer.from(`STATUS=${'a'.repeat(5000)}`)
  expect(plain.read(bytes, 0, 4096)).toBe(true)
  expect(plain.read(bytes, 0, 4097)).toBe(false)
})

test('the order stays, however much room the manager has', async () => {
  const bench = new Bench()
  const random = new Random(3)
  const sent: string[] = []
  for (let round = 0; round < 40; round++) {
    bench.manager!.pause()
    // More than the manager's queue has room for.
    for (let count = random.below(1000); count > 0; count--) {
      const text = `${sent.length}`
      const isPlain = random.chance(0.9)
      if (!bench.trySend(isPlain ? `READY=1\nSTATUS=${text}` : `ERRNO=1\nSTATUS=${text}\n\n`)) break
      sent.push(text)
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
    bench.manager!.resume()
    const barrier = new TestPipe()
    await bench.send('BARRIER=1', [barrier.writeFd])
    barrier.closeWrite()
    await barrier.released()
    barrier.closeRead()
    expect(bench.notifications.map(({ assignments }) => assignments.status)).toEqual(sent)
  }
  expect(sent.length).toBeGreaterThan(200)
  expect(bench.forwarded).toHaveLength(sent.length + 40)
})
