import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Bench } from './proxy/bench.js'
import { openFds, untilOpen } from './proxy/open-fds.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

test('everybody may write to the container socket', () => {
  const bench = new Bench()
  expect(statSync(bench.path).mode & 0o7777).toBe(0o777)
  expect(statSync(bench.path).isSocket()).toBe(true)
})

test('messages arrive in their order, one for one', async () => {
  const bench = new Bench()
  const texts = Array.from({ length: 200 }, (_, index) => `ERRNO=${index}\nSTATUS=${index}`)
  for (const text of texts) await bench.send(text)
  expect(await bench.said()).toEqual(
    texts.map((_, index) => ({ errno: index, status: String(index) })),
  )
  expect(bench.proxy.counters).toMatchObject({ received: 200, forwarded: 200, waiting: 0 })
  expect(bench.drops).toEqual([])
})

test.each([
  ['READY=1 behind a status', 'STATUS=up\nREADY=1', { status: 'up', ready: true }],
  ['READY=1 with CRLF', 'STATUS=up\r\nREADY=1\r\n', { status: 'up', ready: true }],
  ['a NUL at the end', 'READY=1\0', { ready: true }],
  ['ERRNO', 'ERRNO=2', { errno: 2 }],
  ['ERRNO by name', 'ERRNO=ENOENT', { errno: 2 }],
  ['BUSERROR', 'BUSERROR=org.x.E', { busError: 'org.x.E' }],
  ['VARLINKERROR', 'VARLINKERROR=org.x.E', { varlinkError: 'org.x.E' }],
  ['RELOADING', 'RELOADING=1\nMONOTONIC_USEC=12', { reloading: true, monotonicUsec: 12n }],
  ['STOPPING', 'STOPPING=1', { stopping: true }],
  ['WATCHDOG=1', 'WATCHDOG=1', { watchdog: true }],
  ['WATCHDOG=trigger', 'WATCHDOG=trigger', { watchdog: 'trigger' }],
  ['WATCHDOG_USEC', 'WATCHDOG_USEC=5000', { watchdogUsec: 5000n }],
  ['EXTEND_TIMEOUT_USEC', 'EXTEND_TIMEOUT_USEC=7', { extendTimeoutUsec: 7n }],
  ['RESTART_RESET', 'RESTART_RESET=1', { restartReset: true }],
  ['EXIT_STATUS', 'EXIT_STATUS=3', { exitStatus: 3 }],
  ['X_ keys', 'X_A=1\nX_B=a\\\\b', { extra: { X_A: '1', X_B: 'a\\b' } }],
])('forwarded: %s', async (_what, text, expected) => {
  const bench = new Bench()
  await bench.send(text)
  expect(await bench.said()).toEqual([expected])
  expect(bench.forwarded).toEqual([expected])
  expect(bench.drops).toEqual([])
})

test.each([
  [
    'MAINPID in the datagram with READY',
    'MAINPID=7\nREADY=1',
    { ready: true },
    ['MAINPID: not-allowed'],
  ],
  [
    'MAINPIDFDID and MAINPID',
    'MAINPID=7\nMAINPIDFDID=9\nSTATUS=s',
    { status: 's' },
    ['MAINPID: not-allowed', 'MAINPIDFDID: not-allowed'],
  ],
  ['NOTIFYACCESS', 'NOTIFYACCESS=all\nREADY=1', { ready: true }, ['NOTIFYACCESS: not-allowed']],
  [
    'a field that systemd does not know',
    'PROCESSED=1\nREADY=1',
    { ready: true },
    ['PROCESSED: unknown'],
  ],
  [
    'what looks like READY',
    'READY=10\nNOTREADY=1\n READY=1\nSTATUS=s',
    { status: 's' },
    ['READY: unknown', 'NOTREADY: unknown', ' READY: unknown'],
  ],
  ['a line without =', 'hello\nREADY=1', { ready: true }, ['hello: unknown']],
  ['the second of two lines', 'STATUS=a\nSTATUS=b', { status: 'a' }, ['STATUS: duplicate']],
  ['the second X_ line of two', 'X_A=a\nX_A=b', { extra: { X_A: 'a' } }, ['X_A: duplicate']],
  ['a value that systemd ignores', 'ERRNO=99999\nREADY=1', { ready: true }, ['ERRNO: invalid']],
  [
    'MONOTONIC_USEC alone',
    'MONOTONIC_USEC=5\nREADY=1',
    { ready: true },
    ['MONOTONIC_USEC: invalid'],
  ],
  [
    'the descriptor store, without one',
    'FDSTORE=1\nFDNAME=a\nREADY=1',
    { ready: true },
    ['FDSTORE: no-store', 'FDNAME: no-store'],
  ],
  [
    'a removal from the store, without one',
    'FDSTOREREMOVE=1\nFDNAME=a\nREADY=1',
    { ready: true },
    ['FDSTOREREMOVE: no-store', 'FDNAME: no-store'],
  ],
])('left out: %s', async (_what, text, expected, reasons) => {
  const bench = new Bench()
  await bench.send(text)
  expect(await bench.said()).toEqual([expected])
  expect(bench.reasons).toEqual(reasons)
  expect(bench.drops[0]).toMatchObject({
    bytes: text.length,
    sender: { pid: process.pid, uid: process.getuid!() },
    text: expect.stringMatching(/.{10}/),
  })
})

test.each([
  ['nothing is left of it', 'MAINPID=7', ['MAINPID: not-allowed', 'nothing-left']],
  ['a NUL in it', 'READY=1\0STATUS=x', ['embedded-nul']],
  ['a backslash at the end', 'READY=1\nSTATUS=x\\', ['trailing-backslash']],
  ['BARRIER=1 without a descriptor', 'BARRIER=1', ['barrier-not-alone']],
  ['BARRIER=1 beside READY=1', 'BARRIER=1\nREADY=1', ['barrier-not-alone']],
])('dropped whole: %s', async (_what, text, reasons) => {
  const bench = new Bench()
  await bench.send(text)
  await bench.send('STATUS=next')
  expect(await bench.said()).toEqual([{ status: 'next' }])
  expect(bench.reasons).toEqual(reasons)
  expect(bench.proxy.counters.droppedMessages).toEqual({ [reasons.at(-1)!]: 1 })
})

test('an empty message says nothing, and ends nothing', async () => {
  const bench = new Bench()
  await bench.send('')
  await bench.send('\n\n')
  await bench.send('READY=1')
  expect(await bench.said()).toEqual([{ ready: true }])
  expect(bench.drops).toEqual([])
  expect(bench.proxy.counters).toMatchObject({ received: 3, forwarded: 1 })
})

test('control characters of a status do not reach a terminal', async () => {
  const bench = new Bench()
  await bench.send('STATUS=\u001b]0;title\u0007\u009b31mred')
  expect(await bench.said()).toEqual([{ status: '\ufffd]0;title\ufffd\ufffd31mred' }])
})

test('NOTIFYACCESS goes where the option says so', async () => {
  const bench = new Bench({ notifyAccess: true })
  await bench.send('NOTIFYACCESS=all')
  expect(await bench.said()).toEqual([{ notifyAccess: 'all' }])
})

test('a barrier is acknowledged when the manager has read it, and not before', async () => {
  const bench = new Bench()
  const barrier = new TestPipe()
  bench.manager!.pause()
  await bench.send('STATUS=before')
  await bench.send('BARRIER=1', [barrier.writeFd])
  barrier.closeWrite()
  let isReleased = false
  const released = barrier.released().then(() => (isReleased = true))
  await bench.proxy.idle()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(isReleased).toBe(false)

  bench.manager!.resume()
  await released
  expect(await bench.said()).toEqual([{ status: 'before' }])
})

test.each([
  ['two descriptors', 2, 'BARRIER=1'],
  ['another line', 1, 'BARRIER=1\nSTATUS=x'],
])('a barrier with %s is nothing, as for systemd: all is closed', async (_what, count, text) => {
  const bench = new Bench()
  const barrier = new TestPipe()
  await bench.send(
    text,
    Array.from({ length: count }, () => barrier.writeFd),
  )
  barrier.closeWrite()
  await barrier.released()
  expect(bench.reasons).toEqual(['barrier-not-alone'])
  expect(await bench.said()).toEqual([])
})

test('descriptors go to the store under a private name', async () => {
  const bench = new Bench({ store: { prefix: 'web.', limit: 3 } })
  const file = openSync('/etc/hostname', 'r')
  await bench.send('FDSTORE=1\nFDNAME=log\nFDPOLL=0\nSTATUS=s', [file, file])
  await bench.send('FDSTORE=1', [file])
  await bench.send('FDSTOREREMOVE=1\nFDNAME=log')
  expect(await bench.said()).toEqual([
    { fdStore: true, fdName: 'web.log', fdPoll: false, status: 's' },
    { fdStore: true, fdName: 'web.stored' },
    { fdStoreRemove: true, fdName: 'web.log' },
  ])
  expect(bench.fds.map((fd) => fstatSync(fd).ino)).toEqual(Array(3).fill(fstatSync(file).ino))
  closeSync(file)
})

test('no descriptor stays open, whatever came with what', async () => {
  const bench = new Bench({ store: { prefix: 'a.', limit: 100 } })
  const { writeFd } = new TestPipe()
  const file = openSync('/etc/hostname', 'r')
  await bench.send('FDSTORE=1', [file])
  await bench.said()
  for (const fd of bench.fds.splice(0)) closeSync(fd)
  const before = openFds().length
  const rounds = 300
  for (let round = 0; round < rounds; round++) {
    await bench.send('READY=1', [file, writeFd])
    await bench.send('', [file])
    await bench.send('BARRIER=1', [writeFd])
    await bench.send('BARRIER=1', [file])
    await bench.send('BARRIER=1\nX_A=1', [file])
    await bench.send('FDSTORE=1\nFDNAME=f', [file, writeFd])
    await bench.send('FDSTOREREMOVE=1\nFDNAME=f', [file])
    await bench.send('MAINPIDFD=1', [file])
    await bench.send('FDSTORE=1\nSTATUS=a\0b', [file])
    await bench.proxy.idle()
    bench.manager!.readNow()
    for (const fd of bench.fds.splice(0)) closeSync(fd)
  }
  expect(bench.proxy.counters).toMatchObject({ received: 9 * rounds + 1, barriers: 2 * rounds })
  await untilOpen(before)
  closeSync(file)
})
