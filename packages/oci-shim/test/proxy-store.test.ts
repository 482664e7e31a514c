import { closeSync, fstatSync, openSync } from 'node:fs'
import { getFileLimit, setFileLimit } from '@sdbridge/syscalls'
import { expect, onTestFinished, test } from 'vitest'
import { nameWithoutPrefix, storedName } from '../src/index.js'
import { Bench, until } from './proxy/bench.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

test.each([
  ['web.', 'log', 'web.log'],
  ['web.', '', 'web.'],
  ['web.', undefined, 'web.stored'],
  ['', 'log', 'log'],
  ['web.', 'n'.repeat(251), `web.${'n'.repeat(251)}`],
  ['web.', 'n'.repeat(252), undefined],
])('with prefix %j, %j is stored as %j', (prefix, name, expected) => {
  expect(storedName(prefix, name)).toBe(expected)
  if (expected !== undefined) expect(nameWithoutPrefix(prefix, expected)).toBe(name ?? 'stored')
})

test('a name with another prefix is not the container’s', () => {
  expect(nameWithoutPrefix('web.', 'web')).toBeUndefined()
  expect(nameWithoutPrefix('web.', 'db.log')).toBeUndefined()
})

test('the quota: what is stored counts, until it is removed by name', async () => {
  const names = ['a.old', 'a.old', 'a.new']
  const bench = new Bench({ store: { prefix: 'a.', limit: 4, names } })
  await bench.send('FDSTORE=1\nFDNAME=x', [1])
  await bench.send('FDSTORE=1\nFDNAME=y\nSTATUS=s', [1])
  await bench.send('FDSTOREREMOVE=1\nFDNAME=old')
  await bench.send('FDSTORE=1\nFDNAME=y', [1, 1])
  await bench.send('FDSTORE=1\nFDNAME=y', [1])
  expect(await bench.said()).toEqual([
    { fdStore: true, fdName: 'a.x' },
    { status: 's' },
    { fdStoreRemove: true, fdName: 'a.old' },
    { fdStore: true, fdName: 'a.y' },
  ])
  expect(bench.fds).toHaveLength(3)
  expect(bench.reasons).toEqual(['FDSTORE: store-full', 'FDSTORE: store-full', 'nothing-left'])
})

test.each([
  ['a name too long with its prefix', `FDSTORE=1\nFDNAME=${'n'.repeat(254)}`, 'name-too-long'],
  ['no descriptor', 'FDSTORE=1\nFDNAME=n', 'no-descriptor'],
  ['FDNAME of nothing', 'FDNAME=n', undefined],
])('not stored, and the rest goes on: %s', async (_what, text, reason) => {
  const bench = new Bench({ store: { prefix: 'a.', limit: 9 } })
  await bench.send(`${text}\nREADY=1`, reason === 'no-descriptor' ? [] : [1])
  expect(await bench.said()).toEqual([{ ready: true }])
  if (reason !== undefined) expect(bench.reasons).toEqual([`FDSTORE: ${reason}`])
  else expect(bench.reasons).toEqual(['FDNAME: invalid', 'descriptors: descriptors-unused'])
  expect(bench.fds).toEqual([])
})

test('an invalid name is "stored", as systemd has it, with the prefix', async () => {
  const bench = new Bench({ store: { prefix: 'a.', limit: 9 } })
  await bench.send('FDSTORE=1\nFDNAME=x:y', [1])
  expect(await bench.said()).toEqual([{ fdStore: true, fdName: 'a.stored' }])
  expect(bench.reasons).toEqual(['FDNAME: invalid'])
})

test('FDSTOREREMOVE=1 wins over FDSTORE=1, whose descriptors are closed', async () => {
  const bench = new Bench({ store: { prefix: 'a.', limit: 9 } })
  await bench.send('FDSTORE=1\nFDSTOREREMOVE=1\nFDNAME=n', [1])
  expect(await bench.said()).toEqual([{ fdStoreRemove: true, fdName: 'a.n' }])
  expect(bench.reasons).toEqual(['FDSTORE: invalid', 'descriptors: descriptors-unused'])
})

test('any kind of descriptor is stored as it is', async () => {
  const bench = new Bench({ store: { prefix: 'a.', limit: 9 } })
  const { readFd } = new TestPipe()
  const sent = [readFd, openSync('/dev/null', 'r'), openSync('/', 'r'), bench.payload.fd]
  await bench.send('FDSTORE=1', sent)
  await bench.said()
  const inodes = (fds: number[]): number[] => fds.map((fd) => fstatSync(fd).ino)
  expect(inodes(bench.fds)).toEqual(inodes(sent))
})

test('what the manager cannot watch would cost it the others: it is stored unwatched, or not at all', async () => {
  const bench = new Bench({ store: { prefix: 'a.', limit: 9 } })
  const O_PATH = 0o10000000
  const sent = [openSync(bench.directory, O_PATH), openSync('/dev/null', 'r')]
  await bench.send('FDSTORE=1\nERRNO=1', sent)
  await bench.send('FDSTORE=1\nFDPOLL=0', sent)
  expect(await bench.said()).toEqual([
    { errno: 1 },
    { fdStore: true, fdName: 'a.stored', fdPoll: false },
  ])
  expect(bench.reasons).toEqual(['FDSTORE: not-pollable'])
  expect(bench.fds).toHaveLength(2)
  for (const fd of sent) closeSync(fd)
})

test('with a full descriptor table: descriptors are lost, the text is not, and reading stops until there is room', async () => {
  const bench = new Bench({ store: { prefix: 'a.', limit: 999 } })
  await bench.send('READY=1')
  await bench.said()
  const limit = getFileLimit()
  onTestFinished(() => setFileLimit(limit))
  const pipe = new TestPipe()
  const lowestFree = openSync('/dev/null', 'r')
  closeSync(lowestFree)
  // Room for three at the most; what is open stays open.
  setFileLimit({ soft: lowestFree + 3, hard: limit.hard })
  const fds = Array.from({ length: 100 }, () => pipe.writeFd)
  await bench.send('FDSTORE=1\nERRNO=1', fds)
  await bench.send('FDSTORE=1\nSTATUS=lost too', fds)
  await until(() => bench.drops.length > 0)
  expect(bench.reasons[0]).toBe('FDSTORE: descriptors-lost')

  // From the second on, it may have waited in the kernel’s queue.
  setFileLimit(limit)
  await bench.send('FDSTORE=1\nSTATUS=stored', fds)
  const said = await bench.said()
  expect(said[1]).toEqual({ errno: 1 })
  expect(said.at(-1)).toEqual({ fdStore: true, fdName: 'a.stored', status: 'stored' })
})
