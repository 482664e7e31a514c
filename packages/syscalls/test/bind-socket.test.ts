import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { fstatSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import {
  bindSocket,
  type BindOptions,
  closeFd,
  describeSocket,
  isCloexec,
  isNonBlocking,
} from '../src/index.js'
import { isOpen, openFds } from './open-fds.js'

function bind(options: BindOptions): number {
  const fd = bindSocket(options)
  const { ino } = fstatSync(fd)
  onTestFinished(() => {
    // Or the number is another one's: a server has closed this one.
    if (isOpen(fd) && fstatSync(fd).ino === ino) closeFd(fd)
  })
  return fd
}

const loopback = { family: 'inet', address: '127.0.0.1', port: 0 } as const

describe('a bound socket', () => {
  test.each<[BindOptions['type'], BindOptions['address'], object]>([
    ['stream', loopback, { domain: 'inet', type: 'stream', listening: true }],
    ['dgram', loopback, { domain: 'inet', type: 'dgram', listening: false }],
    [
      'stream',
      { family: 'inet6', address: '::1', port: 0, flowInfo: 0, scopeId: 0 },
      { domain: 'inet6', type: 'stream', listening: true },
    ],
    ['dgram', { family: 'unix' }, { domain: 'unix', type: 'dgram', listening: false }],
    ['seqpacket', { family: 'unix' }, { domain: 'unix', type: 'seqpacket', listening: true }],
  ])('for %s at %j is ready to be handed on', (type, address, facts) => {
    const fd = bind({ type, address })
    expect(describeSocket(fd)).toMatchObject(facts)
    expect([isCloexec(fd), isNonBlocking(fd)]).toEqual([true, true])
  })

  test('serves clients of a Node server that takes it', async () => {
    const path = join(temporaryDirectory(), 'd'.repeat(100), 'server.sock')
    mkdirSync(join(path, '..'))
    const fd = bindSocket({ type: 'stream', address: { family: 'unix', path } })
    expect(statSync(path).isSocket()).toBe(true)
    const server = createServer((socket) => socket.end('hello')).listen({ fd })
    onTestFinished(() => void server.close())
    // Node cuts a path at 107 bytes: the way round is a shorter one to the same directory.
    process.chdir(join(path, '..'))
    onTestFinished(() => process.chdir('/'))
    const client = connect('server.sock')
    const [data] = await once(client, 'data')
    expect(`${data}`).toBe('hello')
  })

  test('gets a port back that is still closing', async () => {
    const fd = bind({ type: 'stream', address: loopback })
    const address = describeSocket(fd)!.localAddress as typeof loopback
    const server = createServer((socket) => socket.end()).listen({ fd })
    const client = connect(address.port, '127.0.0.1').resume()
    // Our side closes first, and so it is ours that keeps the port for a minute.
    await once(client, 'close')
    server.close()
    await once(server, 'close')
    expect(describeSocket(bind({ type: 'stream', address }))!.localAddress).toEqual(address)
  })
})

describe('a socket that cannot be bound', () => {
  test('throws the reason with the address, and leaves no descriptor', () => {
    const taken = bind({ type: 'stream', address: loopback })
    const address = describeSocket(taken)!.localAddress as typeof loopback
    const before = openFds()
    expect(() => bindSocket({ type: 'stream', address })).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', address: `127.0.0.1:${address.port}` }),
    )
    expect(() => bindSocket({ type: 'seqpacket', address: loopback })).toThrow(
      expect.objectContaining({ syscall: 'socket' }),
    )
    expect(() =>
      bindSocket({ type: 'stream', address: { family: 'unix', path: '/no/such/place' } }),
    ).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'bind', address: '/no/such/place' }),
    )
    expect(() => bindSocket({ type: 'stream', address: { ...loopback, port: -1 } })).toThrow(
      TypeError,
    )
    expect(openFds()).toEqual(before)
  })

  test('of a family that this package does not know is refused', () => {
    const address = { family: 16, bytes: new Uint8Array(12) }
    expect(() => bindSocket({ type: 'dgram', address })).toThrow('cannot bind to family 16')
  })
})
