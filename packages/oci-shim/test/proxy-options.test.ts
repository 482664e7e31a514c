import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatagramSocket } from '@sdbridge/syscalls'
import { expect, onTestFinished, test } from 'vitest'
import { FIELD_RULES, NotifyProxy, type NotifyProxyOptions } from '../src/index.js'
import { Bench } from './proxy/bench.js'
import { RawManager } from './proxy/raw-manager.js'

test.each([
  ['path', { path: 'relative' }],
  ['upstream', { upstream: 5 }],
  ['senders', { senders: 'root' }],
  ['senders', { senders: [-1] }],
  ['init', { senders: 'init' }],
  ['init', { mainPid: true }],
  ['init', { init: 5 }],
  ['onDropped', { onDropped: 'x' }],
  ['store.prefix', { store: { prefix: 'a:b', limit: 1 } }],
  ['store.prefix', { store: { prefix: 'x'.repeat(128), limit: 1 } }],
  ['store.limit', { store: { prefix: 'a', limit: NaN } }],
  ['store.names', { store: { prefix: 'a', limit: 1, names: [1] } }],
])('refused: a wrong %s', (name, wrong) => {
  const options = { path: '/x', upstream: '/y', ...wrong } as NotifyProxyOptions
  expect(() => new NotifyProxy(options)).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining(`"${name}"`),
    }),
  )
})

test.each([
  ['', /empty/],
  ['relative', /unknown/],
  ['vsock:2:99', /no descriptors can be sent/],
])('refused: an upstream of %j', (upstream, message) => {
  expect(() => new NotifyProxy({ path: '/x', upstream })).toThrow(
    expect.objectContaining({
      code: 'ERR_NOTIFY_INVALID_ADDRESS',
      message: expect.stringMatching(message),
    }),
  )
})

test('a socket file that another owner left behind is replaced; ours goes with us', () => {
  const { directory } = new Bench({ upstream: undefined })
  const path = join(directory, 'x.sock')
  const dead = new DatagramSocket('unix')
  dead.bind({ family: 'unix', path })
  dead.close()
  const proxy = new NotifyProxy({ path, upstream: undefined })
  expect(() => new NotifyProxy({ path, upstream: undefined })).toThrow(
    expect.objectContaining({ code: 'EADDRINUSE' }),
  )
  proxy.close()
  expect(existsSync(path)).toBe(false)
})

test('what is no socket stays, and is an error', () => {
  const { directory } = new Bench({ upstream: undefined })
  const path = join(directory, 'file')
  writeFileSync(path, 'precious')
  expect(() => new NotifyProxy({ path, upstream: undefined })).toThrow(
    expect.objectContaining({ code: 'EADDRINUSE' }),
  )
  expect(existsSync(path)).toBe(true)
})

test('paths that are too long for a socket address, on both sides', async () => {
  const { directory } = new Bench({ upstream: undefined })
  const deep = join(directory, ...Array.from({ length: 4 }, () => 'd'.repeat(50)))
  mkdirSync(deep, { recursive: true })
  const manager = new RawManager(join(deep, 'manager.sock'))
  const path = join(deep, 'notify.sock')
  const proxy = new NotifyProxy({ path, upstream: manager.path })
  const payload = new DatagramSocket('unix')
  onTestFinished(() => {
    proxy.close()
    payload.close()
  })
  payload.connect({ family: 'unix', path })
  payload.trySend(Buffer.from('READY=1'))
  await manager.until(1)
  expect(manager.texts).toEqual(['READY=1'])
})

test('an abstract address of the manager', async () => {
  const name = `sdbridge-proxy-test-${process.pid}`
  const manager = new DatagramSocket('unix')
  onTestFinished(() => manager.close())
  const received = new Promise<string>((resolve, reject) => {
    manager.receive({ onMessages: ([first]) => resolve(String(first!.data)), onError: reject })
  })
  manager.bind({ family: 'unix', abstract: Buffer.from(name) })
  const bench = new Bench({ upstream: `@${name}` })
  await bench.send('READY=1')
  expect(await received).toBe('READY=1')
})

test('the summary is for a person', async () => {
  const bench = new Bench()
  await bench.send('READY=1')
  await bench.send(`STATUS=${'x'.repeat(5000)}`)
  await bench.send('NOTIFYACCESS=all')
  await bench.said()
  expect(bench.proxy.summary()).toBe(
    [
      '3 notifications received, 2 forwarded (0 barriers), 0 superseded by later ones, 0 waiting',
      '1 were longer than systemd reads, and were shortened',
      'dropped notifications: 1 nothing-left',
      'dropped fields: 1 not-allowed',
    ].join('\n'),
  )
})

test('each field has a rule with a reason', () => {
  for (const { because } of Object.values(FIELD_RULES)) expect(because).toMatch(/\w+ \w+ \w+/)
  const byOption = Object.entries(FIELD_RULES).filter(([, { forward }]) => forward !== 'always')
  expect(byOption.map(([property]) => property).toSorted()).toEqual(
    ['fdName', 'fdPoll', 'fdStore', 'fdStoreRemove', 'mainPid', 'mainPidFd', 'mainPidFdId'].concat(
      'notifyAccess',
    ),
  )
})
