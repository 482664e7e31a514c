import { closeSync, openSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import {
  bindSocket,
  closeFd,
  encodeSocketAddress,
  SOCKET_DOMAINS,
  type SocketAddress,
  socketName,
} from '../src/index.js'

test.each<[string, SocketAddress]>([
  ['an abstract name with a NUL', { family: 'unix', abstract: Buffer.from(`a\0${process.pid}`) }],
  ['an IPv4 address', { family: 'inet', address: '127.0.0.2', port: 0 }],
  ['an IPv6 address', { family: 'inet6', address: '::1', port: 0, flowInfo: 0, scopeId: 0 }],
])('%s', (_name, address) => {
  const fd = bindSocket({ type: 'dgram', address })
  onTestFinished(() => closeFd(fd))
  const { family, bytes } = socketName(fd)
  expect(family).toBe(SOCKET_DOMAINS[address.family as 'unix'])
  // The kernel chose the port.
  const wanted = encodeSocketAddress(address)
  if (address.family !== 'unix') wanted.set(bytes.subarray(2, 4), 2)
  expect(Buffer.from(bytes)).toEqual(Buffer.from(wanted))
})

test('what is no socket has none', () => {
  const fd = openSync('/dev/null', 'r')
  onTestFinished(() => closeSync(fd))
  expect(() => socketName(fd)).toThrow(
    expect.objectContaining({ code: 'ENOTSOCK', errno: -88, syscall: 'getsockname' }),
  )
  expect(() => socketName(999_999)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})
