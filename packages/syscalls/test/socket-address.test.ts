import { describe, expect, test } from 'vitest'
import {
  decodeSocketAddress,
  encodeSocketAddress,
  formatSocketAddress,
  type SocketAddress,
} from '../src/socket-address.js'

const inet6 = { family: 'inet6', port: 443, flowInfo: 0, scopeId: 0 } as const

describe('an address', () => {
  test.each<[SocketAddress, string, string]>([
    [{ family: 'unix', path: '/run/a' }, '0100 2f72756e2f61 00', '/run/a'],
    [{ family: 'unix', abstract: Uint8Array.of(0x61, 0) }, '0100 00 6100', '@a\0'],
    [{ family: 'unix', abstract: new Uint8Array() }, '0100 00', '@'],
    [{ family: 'unix' }, '0100', '(unnamed)'],
    [
      { family: 'inet', address: '127.0.0.1', port: 80 },
      '0200 0050 7f000001 0000000000000000',
      '127.0.0.1:80',
    ],
    [
      { ...inet6, address: '::1' },
      '0a00 01bb 00000000 00000000000000000000000000000001 00000000',
      '[::1]:443',
    ],
    [
      { ...inet6, address: '::' },
      '0a00 01bb 00000000 00000000000000000000000000000000 00000000',
      '[::]:443',
    ],
    [
      { ...inet6, address: '::ffff:192.0.2.1' },
      '0a00 01bb 00000000 00000000000000000000ffffc0000201 00000000',
      '[::ffff:192.0.2.1]:443',
    ],
    [
      { ...inet6, address: 'fe80::1:2', flowInfo: 0x1_2345, scopeId: 3 },
      '0a00 01bb 00012345 fe800000000000000000000000010002 03000000',
      '[fe80::1:2]:443',
    ],
    [
      { ...inet6, address: '2001:db8:1:2:3:4:5:6' },
      '0a00 01bb 00000000 20010db8000100020003000400050006 00000000',
      '[2001:db8:1:2:3:4:5:6]:443',
    ],
    [
      { family: 'vsock', cid: 2, port: 9999 },
      '2800 0000 0f270000 02000000 00000000',
      'vsock:2:9999',
    ],
    [
      { family: 'vsock', cid: 0xffff_ffff, port: 0xffff_ffff },
      '2800 0000 ffffffff ffffffff 00000000',
      'vsock:4294967295:4294967295',
    ],
    [{ family: 16, bytes: Uint8Array.of(16, 0, 1, 2) }, '1000 0102', '(family 16)'],
  ])('%j has these bytes, which mean it again', (address, hex, text) => {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    expect(Buffer.from(encodeSocketAddress(address)).toString('hex')).toBe(bytes.toString('hex'))
    expect(decodeSocketAddress(new Uint8Array(bytes))).toEqual(address)
    expect(formatSocketAddress(address)).toBe(text)
  })

  test.each(['::ffff:192.0.2.1', '::FFFF:C000:0201', '0:0:0:0:0:ffff:192.0.2.1'])(
    'that is one of IPv4 may be spelt %s',
    (address) => {
      const decoded = decodeSocketAddress(encodeSocketAddress({ ...inet6, address }))
      expect(decoded).toMatchObject({ address: '::ffff:192.0.2.1' })
    },
  )

  test.each<[string, object]>([
    ['of a host name', { family: 'inet', address: 'localhost', port: 1 }],
    ['of IPv6 where IPv4 is asked for', { family: 'inet', address: '::1', port: 1 }],
    ['with a zone in its text', { ...inet6, address: 'fe80::1%lo' }],
    ['with a port of 65536', { family: 'inet', address: '127.0.0.1', port: 65_536 }],
    ['with a port of 1.5', { ...inet6, address: '::1', port: 1.5 }],
    ['with a scope of -1', { ...inet6, address: '::1', scopeId: -1 }],
    ['with a vsock port of NaN', { family: 'vsock', cid: 2, port: Number.NaN }],
    ['with a vsock cid of 2 ** 32', { family: 'vsock', cid: 2 ** 32, port: 1 }],
    ['with an abstract name that is text', { family: 'unix', abstract: 'a1' }],
    ['of a family without a name here', { family: 'ax25', address: 'x', port: 1 }],
  ])('%s is refused', (_what, address) => {
    expect(() => encodeSocketAddress(address as SocketAddress)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
    )
  })
})

describe('bytes of the kernel', () => {
  test('that fill a sockaddr_un to its end, without a NUL, are the whole path', () => {
    const path = `/${'p'.repeat(107)}`
    const bytes = Buffer.concat([Buffer.from([1, 0]), Buffer.from(path)])
    expect(decodeSocketAddress(bytes)).toEqual({ family: 'unix', path })
  })

  test.each(['', '01'])('that are too few for a family (%j) name nobody', (hex) => {
    expect(decodeSocketAddress(Buffer.from(hex, 'hex'))).toEqual({ family: 'unix' })
  })

  test('that are too few for their family are kept as they are', () => {
    const bytes = Uint8Array.of(2, 0, 0, 80)
    expect(decodeSocketAddress(bytes)).toEqual({ family: 2, bytes })
  })
})
