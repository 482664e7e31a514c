import { spawn } from 'node:child_process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot } from '../../../test/support/real-program.js'
import { Inbox, openSender } from './inbox.js'
import { runFixture } from './program.js'

describe.runIf(isRoot())('root that claims to be another sender', () => {
  test('is believed by the kernel if there is such a process', async () => {
    const other = spawn('sleep', ['60'])
    onTestFinished(() => void other.kill())
    const inbox = new Inbox()
    openSender(inbox.address).trySend(Buffer.from('x'), {
      credentials: { pid: other.pid!, uid: 65_534, gid: 0xffff_fffe },
    })
    const [datagram] = await inbox.until(1)
    expect(datagram!.sender).toEqual({ pid: other.pid, uid: 65_534, gid: 0xffff_fffe })
  })

  test('can send descriptors with the claim', async () => {
    const inbox = new Inbox()
    const credentials = { pid: process.ppid, uid: 0, gid: 0 }
    openSender(inbox.address).trySend(Buffer.from('x'), { credentials, fds: [0, 0] })
    const [datagram] = await inbox.until(1)
    expect(datagram!.sender).toEqual(credentials)
    expect(datagram!.fds).toHaveLength(2)
  })

  test('to be a process that does not exist is refused with ESRCH', () => {
    const sender = openSender(new Inbox().address)
    const credentials = { pid: 0x7fff_fffe, uid: 0, gid: 0 }
    expect(() => sender.trySend(Buffer.from('x'), { credentials })).toThrow(
      expect.objectContaining({ code: 'ESRCH', errno: -3, syscall: 'sendmsg' }),
    )
  })
})

test('claiming the credentials that are ours anyway needs no privilege', async () => {
  const inbox = new Inbox()
  const own = { pid: process.pid, uid: process.getuid!(), gid: process.getgid!() }
  openSender(inbox.address).trySend(Buffer.from('x'), { credentials: own })
  expect((await inbox.until(1))[0]!.sender).toEqual(own)
})

test.runIf(isRoot())(
  'anybody else that claims to be another sender is refused with EPERM',
  async () => {
    const outcome = await runFixture('claim-parent.mjs', [], {
      env: { ...process.env, TEST_IDS: '65534:65534' },
    })
    expect(outcome).toEqual({ code: 0, signal: null, stdout: 'EPERM sendmsg\n', stderr: '' })
  },
)

test.each([Number.NaN, -1, 1.5, 2 ** 32, undefined, '1'])(
  'an id of %s is refused, not taken for root’s',
  (wrong) => {
    const sender = openSender(new Inbox().address)
    const credentials = { pid: process.pid, uid: wrong as number, gid: 0 }
    expect(() => sender.trySend(Buffer.from('x'), { credentials })).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
    )
  },
)
