import { expect, test } from 'vitest'
import { MESSAGE_MAX_BYTES, parseMessage } from '@sdbridge/notify/relay'
import { wholeLines } from '../src/proxy/whole-lines.js'
import { Bench } from './proxy/bench.js'
import { RawManager } from './proxy/raw-manager.js'

async function sentFor(message: string | Buffer): Promise<{ text: string; bench: Bench }> {
  const manager = new RawManager()
  const bench = new Bench({ upstream: manager.path })
  await bench.send(message)
  await bench.send('X_NEXT=1')
  await manager.until(1)
  await bench.proxy.idle()
  expect(bench.rejections).toEqual([])
  for (const { data } of manager.messages) {
    expect(data.length).toBeLessThanOrEqual(MESSAGE_MAX_BYTES)
    expect(parseMessage(data)).not.toHaveProperty('rejected')
  }
  return { text: manager.texts[0]!, bench }
}

test('a status that is too long is shortened, between characters, and the rest is kept', async () => {
  const { bench, text } = await sentFor(`READY=1\nSTATUS=${'é'.repeat(4000)}\nWATCHDOG_USEC=7`)
  expect(text).toMatch(/^READY=1\nSTATUS=é+…\nWATCHDOG_USEC=7$/)
  expect(Buffer.byteLength(text)).toBeGreaterThan(MESSAGE_MAX_BYTES - 4)
  expect(bench.proxy.counters).toMatchObject({ rescued: 1, droppedFields: {} })
})

test('X_ fields go first, the last of them first, and then the status is kept whole', async () => {
  const extra = Array.from({ length: 100 }, (_, index) => `X_${index}=${'x'.repeat(60)}`)
  const { bench, text } = await sentFor(['STATUS=kept', ...extra, 'READY=1'].join('\n'))
  const lines = text.split('\n')
  expect(lines[0]).toBe('STATUS=kept')
  expect(lines.at(-1)).toBe('READY=1')
  expect(lines.slice(1, -1)).toEqual(extra.slice(0, lines.length - 2))
  expect(lines.length).toBeGreaterThan(50)
  const dropped = bench.proxy.counters.droppedFields['too-long']
  expect(dropped).toBe(100 - (lines.length - 2))
  // Whoever listens is told of some of them only.
  expect(bench.drops).toHaveLength(16)
})

test('the name of an error that is too long goes, too', async () => {
  const { text } = await sentFor(`READY=1\nBUSERROR=${'e'.repeat(5000)}\nSTATUS=s`)
  expect(text).toBe('READY=1')
})

test('unknown lines count for nothing', async () => {
  const { text } = await sentFor(`${'JUNK=1\n'.repeat(2000)}READY=1\nSTATUS=up`)
  expect(text).toBe('READY=1\nSTATUS=up')
})

test('of more than is received, the lines that came whole are kept', async () => {
  const { bench, text } = await sentFor(`READY=1\nX_LONG=${'x'.repeat(70_000)}\nSTOPPING=1`)
  expect(text).toBe('READY=1')
  expect(bench.reasons).toEqual(['X_LONG: incomplete'])
  expect(bench.drops[0]!.bytes).toBeGreaterThan(70_000)
})

test('of more than is received, a status is kept as far as it fits', async () => {
  const { text } = await sentFor(`READY=1\nSTATUS=${'🚀'.repeat(20_000)}`)
  expect(text).toMatch(/^READY=1\nSTATUS=(?:🚀)+…$/u)
})

test('a number that was cut through is no number', async () => {
  const filler = `X_A=${'x'.repeat(65_536 - 'X_A=\nWATCHDOG_USEC=10'.length)}`
  const { bench, text } = await sentFor(`${filler}\nWATCHDOG_USEC=1000000`)
  expect(text).toBe('X_NEXT=1')
  expect(bench.reasons).toEqual(['WATCHDOG_USEC: incomplete', 'X_A: too-long', 'nothing-left'])
})

test('a prefix that makes a message too long costs the status some bytes, not the descriptor', async () => {
  const manager = new RawManager()
  const bench = new Bench({
    upstream: manager.path,
    store: { prefix: 'p'.repeat(100), limit: 1 },
  })
  const head = 'FDSTORE=1\nFDNAME=n\nSTATUS='
  await bench.send(head + 's'.repeat(MESSAGE_MAX_BYTES - head.length), [1])
  const [message] = await manager.until(1)
  expect(message!.data.length).toBeLessThanOrEqual(MESSAGE_MAX_BYTES)
  expect(message!.data.toString()).toMatch(/^FDSTORE=1\nFDNAME=p{100}n\nSTATUS=s+…$/)
  expect(message!.fds).toHaveLength(1)
})

test.each([
  ['READY=1\nSTATUS=ab', 'READY=1\nSTATUS=ab', undefined],
  ['READY=1\nSTATUS=ab\\', 'READY=1\nSTATUS=ab', undefined],
  ['READY=1\nSTATUS=ab\\\\', 'READY=1\nSTATUS=ab\\\\', undefined],
  ['READY=1\nSTATUS=a\\\nERRNO=', 'READY=1\nSTATUS=a\\\nERRNO=', undefined],
  ['READY=1\nERRNO=1', 'READY=1\n', 'ERRNO'],
  ['READY=1\nERRNO=1\\', 'READY=1\n', 'ERRNO'],
  ['READY=1\rERRNO=1\r', 'READY=1\rERRNO=1\r', undefined],
  ['READY=1\\\n', '', 'READY'],
  ['READY', '', 'READY'],
  ['', '', undefined],
])('cut off: %j is relied upon as %j', (text, whole, lost) => {
  const { data, lost: key } = wholeLines(Buffer.from(text))
  expect([data.toString(), key]).toEqual([whole, lost])
})

test.each([1, 2, 3])('cut off %d bytes into a character: the status ends before it', (bytes) => {
  const cut = Buffer.concat([Buffer.from('STATUS=é'), Buffer.from('🚀').subarray(0, bytes)])
  expect(wholeLines(cut).data.toString()).toBe('STATUS=é')
})
