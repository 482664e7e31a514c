import { describe, expect, test } from 'vitest'
import { formatNotifyAddress, parseNotifyAddress, type NotifyAddress } from '../src/address.js'

const vsock = (type: 'auto' | 'dgram' | 'stream' | 'seqpacket', cid: number, port: number) => ({
  kind: 'vsock' as const,
  cid,
  port,
  type,
})

describe('a value of NOTIFY_SOCKET', () => {
  test.each<[string, NotifyAddress]>([
    ['/run/systemd/notify', { kind: 'unix-path', path: '/run/systemd/notify' }],
    ['/a', { kind: 'unix-path', path: '/a' }],
    ['/with space\nand line break', { kind: 'unix-path', path: '/with space\nand line break' }],
    ['/tmp/größe', { kind: 'unix-path', path: '/tmp/größe' }],
    ['@name', { kind: 'unix-abstract', name: 'name' }],
    ['@@', { kind: 'unix-abstract', name: '@' }],
    ['@/path/like', { kind: 'unix-abstract', name: '/path/like' }],
    ['vsock:2:9999', vsock('auto', 2, 9999)],
    ['vsock-dgram:2:9999', vsock('dgram', 2, 9999)],
    ['vsock-stream:2:9999', vsock('stream', 2, 9999)],
    ['vsock-seqpacket:2:9999', vsock('seqpacket', 2, 9999)],
    ['vsock:hypervisor:1', vsock('auto', 0, 1)],
    ['vsock:local:1', vsock('auto', 1, 1)],
    ['vsock:host:0', vsock('auto', 2, 0)],
    ['vsock:0x10:0x20', vsock('auto', 16, 32)],
    ['vsock:4294967294:4294967294', vsock('auto', 4294967294, 4294967294)],
  ])('%j', (value, address) => {
    expect(parseNotifyAddress(value)).toEqual(address)
  })

  test('a path longer than a socket address is for the transport to reach', () => {
    const path = `/${'x'.repeat(4094)}`
    expect(parseNotifyAddress(path)).toEqual({ kind: 'unix-path', path })
  })

  test('an abstract name of 107 bytes', () => {
    const name = 'ä'.repeat(53) + 'x'
    expect(parseNotifyAddress(`@${name}`)).toEqual({ kind: 'unix-abstract', name })
  })

  test.each([
    ['is empty', ''],
    ['is relative', 'run/notify'],
    ['has a scheme', 'unix:/run/notify'],
    ['is / alone', '/'],
    ['is @ alone', '@'],
    ['has a NUL', '/run/\0notify'],
    ['has a NUL in an abstract name', '@a\0b'],
    ['has an abstract name of 108 bytes', `@${'ä'.repeat(54)}`],
    ['has a path of 4096 bytes', `/${'x'.repeat(4095)}`],
    ['has no port', 'vsock:2'],
    ['has an empty port', 'vsock:2:'],
    ['has an empty CID', 'vsock::1'],
    ['has a field too many', 'vsock:2:1:1'],
    ['has an unknown type of vsock', 'vsock-raw:2:1'],
    ['is in upper case', 'VSOCK:2:1'],
    ['has a CID word in upper case', 'vsock:HOST:1'],
    ['has the CID any', 'vsock:4294967295:1'],
    ['has the CID any in words', 'vsock:any:1'],
    ['has the CID any as a negative number', 'vsock:-1:1'],
    ['has the port any', 'vsock:2:4294967295'],
    ['has a port beyond 32 bits', 'vsock:2:4294967296'],
    ['has a port word', 'vsock:2:host'],
  ])('that %s is an error which names it', (_, value) => {
    expect(() => parseNotifyAddress(value)).toThrow(
      expect.objectContaining({
        name: 'NotifyError',
        code: 'ERR_NOTIFY_INVALID_ADDRESS',
        address: value,
        message: expect.stringMatching(/^NOTIFY_SOCKET is '.*\/absolute\/path.*@.*vsock:CID:PORT/),
      }),
    )
  })

  test('that is no string is a wrong argument', () => {
    expect(() => parseNotifyAddress(5 as unknown as string)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }),
    )
  })
})

describe('an address as a value of NOTIFY_SOCKET', () => {
  test.each([
    '/run/notify',
    '@name',
    'vsock:2:1',
    'vsock-dgram:2:1',
    'vsock-stream:0:1',
    'vsock-seqpacket:1:0',
  ])('%j comes back', (value) => {
    expect(formatNotifyAddress(parseNotifyAddress(value))).toBe(value)
  })

  test.each<[string, NotifyAddress]>([
    ['a relative path', { kind: 'unix-path', path: 'notify' }],
    ['a path that would be read as an abstract name', { kind: 'unix-path', path: '@notify' }],
    ['an empty abstract name', { kind: 'unix-abstract', name: '' }],
    ['a CID that is no whole number', vsock('auto', 1.5, 1)],
    ['any port', vsock('dgram', 2, 4294967295)],
  ])('%s is refused', (_, address) => {
    expect(() => formatNotifyAddress(address)).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_INVALID_ADDRESS' }),
    )
  })
})
