import { describe, expect, test } from 'vitest'
import { reportOnKinds } from './service.js'
import { PYTHON, works } from '../../../test/support/real-program.js'

const NO_SOCKET = { listening: false }

// What is opened (by fixtures/pass.py), and what a service must be told that it is.
const ROWS: [opened: string, facts: object][] = [
  ['tcp4 listener', { kind: 'tcp-listener', family: 'inet', listening: true }],
  [
    'tcp6 listener',
    {
      kind: 'tcp-listener',
      family: 'inet6',
      listening: true,
      address: expect.stringMatching(/^\[::1\]:\d+$/),
    },
  ],
  [
    'unix listener',
    {
      kind: 'unix-listener',
      family: 'unix',
      listening: true,
      address: expect.stringMatching(/\/s$/),
    },
  ],
  [
    'abstract listener',
    { kind: 'unix-listener', family: 'unix', address: expect.stringMatching(/^@./) },
  ],
  ['udp4', { kind: 'udp', family: 'inet', listening: false }],
  ['udp6', { kind: 'udp', family: 'inet6', listening: false }],
  ['unix datagram', { kind: 'unix-datagram', family: 'unix', listening: false }],
  ['seqpacket listener', { kind: 'seqpacket-listener', family: 'unix', listening: true }],
  ['seqpacket connection', { kind: 'seqpacket-connection', family: 'unix', listening: false }],
  ['unix connection', { kind: 'connection', family: 'unix', listening: false }],
  ['reset tcp connection', { kind: 'connection', family: 'inet', listening: false }],
  ['netlink', { kind: 'netlink', family: 'netlink', listening: false }],
  ['fifo', { kind: 'fifo', ...NO_SOCKET }],
  ['character device', { kind: 'special', ...NO_SOCKET }],
  ['proc file', { kind: 'special', ...NO_SOCKET }],
  ['message queue', { kind: 'message-queue', ...NO_SOCKET }],
  ['directory', { kind: 'unknown', ...NO_SOCKET }],
  ['eventfd', { kind: 'unknown', ...NO_SOCKET }],
]
const VSOCK = 'import socket; socket.socket(socket.AF_VSOCK).bind((0xffffffff, 0xffffffff))'

describe.skipIf(!works(PYTHON, '-c', 'import os; os.eventfd'))(
  'a descriptor is recognised:',
  () => {
    const passed = reportOnKinds(ROWS.map(([opened]) => opened)).fds

    test.each(ROWS.map((row, at) => [...row, passed[at]!] as const))(
      '%s',
      (_opened, facts, found) => {
        expect(found).toMatchObject({ name: 'unknown', ...facts })
      },
    )

    test.skipIf(!works(PYTHON, '-c', VSOCK))('vsock listener', () => {
      expect(reportOnKinds(['vsock listener']).fds).toMatchObject([
        { kind: 'vsock-listener', family: 'vsock', listening: true },
      ])
    })

    test('an epoll instance is refused even if it was passed', () => {
      expect(reportOnKinds(['fifo', 'epoll']).error).toMatchObject({
        code: 'ERR_LISTEN_FDS_BAD_DESCRIPTOR',
        fd: 4,
      })
    })
  },
)
