import dgram from 'node:dgram'
import { once } from 'node:events'
import http2 from 'node:http2'
import net from 'node:net'
import tls from 'node:tls'
import { bindSocket, closeFd } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { describeDescriptor } from '../src/descriptor-facts.js'
import { InheritedFd } from '../src/inherited-fd.js'

const ADDRESS = { family: 'inet', address: '127.0.0.1', port: 0 } as const

describe('expect', () => {
  test('returns a descriptor of the expected kind', () => {
    const inherited = closed(listener())
    expect(inherited.expect('tcp-listener')).toBe(inherited)
    expect(inherited.expect('unix-listener', 'tcp-listener')).toBe(inherited)
  })

  test('names descriptor, name, expected kind, found kind and the setting for another', () => {
    const inherited = closed(datagram())
    expect(() => inherited.expect('tcp-listener', 'unix-listener')).toThrow(
      expect.objectContaining({
        name: 'ListenFdsError',
        code: 'ERR_LISTEN_FDS_WRONG_KIND',
        fd: inherited.fd,
        fdName: 'web',
        expected: ['tcp-listener', 'unix-listener'],
        found: 'udp',
        message:
          `descriptor ${inherited.fd} ("web"): expected tcp-listener or unix-listener, found udp; in the ` +
          '.socket unit, ListenStream=PORT or ListenStream=/PATH opens one',
      }),
    )
  })

  test('gives no advice where no setting opens the kind', () => {
    expect(() => closed(listener()).expect('unknown')).toThrow(
      /expected unknown, found tcp-listener$/,
    )
  })
})

// Node takes an object of options, in which each property could mean something to it some day.
describe('property names', () => {
  test.each([
    ['net', () => net.createServer()],
    ['tls', () => tls.createServer()],
    ['http2', () => http2.createServer()],
  ])('%s servers read fd and no other', async (_module, create) => {
    const { proxy, read } = recorder(listener())
    const server = create().listen(proxy)
    await once(server, 'listening')
    server.close()
    expect(read).toEqual(new Set(['fd']))
  })

  test('datagram sockets read fd and no other', async () => {
    const { proxy, read } = recorder(datagram())
    const socket = dgram.createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(proxy, resolve))
    socket.close()
    expect(read).toEqual(new Set(['fd']))
  })
})

function listener(): InheritedFd {
  return inherit(bindSocket({ type: 'stream', address: ADDRESS }))
}

function datagram(): InheritedFd {
  return inherit(bindSocket({ type: 'dgram', address: ADDRESS }))
}

function closed(inherited: InheritedFd): InheritedFd {
  onTestFinished(() => closeFd(inherited.fd))
  return inherited
}

function inherit(fd: number): InheritedFd {
  return new InheritedFd(fd, 'web', describeDescriptor(fd))
}

function recorder(target: InheritedFd): { proxy: InheritedFd; read: Set<PropertyKey> } {
  const read = new Set<PropertyKey>()
  const proxy = new Proxy(target, {
    get: (object, key, receiver): unknown => {
      if (Object.hasOwn(object, key) || key === 'expect') read.add(key)
      return Reflect.get(object, key, receiver)
    },
  })
  return { proxy, read }
}
