import { openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { closeFd, pidfdId, pidfdOpen } from '@sdbridge/syscalls'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ASSIGNMENT_RULES } from '../../src/assignment-table.js'
import { barrier, notify, reloading } from '../../src/index.js'
import { isRoot } from '../../../../test/support/real-program.js'
import { Inbox } from '../inbox.js'
import { testParsers } from './parsers.js'
import { DIFFERENCES, SAYINGS, type Saying } from './sayings.js'
import { type RecordedCall, Systemd } from './systemd.js'
import { Wire, type WireMessage } from './wire.js'

const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000

/**
 * Declares the tests that compare notify() and NotifyReceiver with a real systemd, in both directions.
 *
 * @param root As {@link Systemd} takes it.
 */
export function testConformance(version: number, root?: string): void {
  let systemd: Systemd
  beforeAll(() => {
    systemd = new Systemd(root)
  })
  afterAll(() => systemd?.dispose())

  const byOptions = SAYINGS.filter(({ options }) => options !== 'cannot').filter(
    // Other programs cannot pass on a descriptor with systemd-notify(1) before 254.
    ({ fds = 0, since = fds > 0 ? 254 : 0 }) => since <= version,
  )

  const hasRoot = isRoot()
  const reloadingOption = version >= 254 ? ['--reloading'] : []

  testParsers(() => systemd, version)

  describe('notify() puts on the wire', () => {
    test.each(titled(SAYINGS))('what sd_notify(3) does: %s', async (_title, saying) => {
      const wire = new Wire()
      const { state, fds = 0 } = saying
      await notify(saying.assignments, { env: wire.env, fds: open(fds) })
      const ours = await wire.takeOne()
      expect(ours.data.toString()).toBe(state)

      await say(saying, systemd, wire.env)
      const theirs = await wire.takeOne()
      expect([ours.data, ours.fds]).toEqual([theirs.data, theirs.fds])
      expect(theirs.fds).toHaveLength(fds)
      expect(ours.sender).toEqual({ ...theirs.sender, pid: process.pid })
    })

    test.each(titled(byOptions))('what systemd-notify(1) does: %s', async (_title, saying) => {
      const wire = new Wire()
      const fds = open(saying.fds ?? 0)
      await notify(saying.assignments, { env: wire.env, fds })
      const ours = await wire.takeOne()
      await systemd.notify(['--no-block', ...wordsOf(saying)], { ...wire.env, fds })
      const theirs = await wire.takeOne()
      expect([ours.data, ours.fds]).toEqual([theirs.data, theirs.fds])
    })

    test('the nine bytes and the write end of sd_notify_barrier(3)', async () => {
      const wire = new Wire()
      expect(await barrier({ env: wire.env, timeoutMs: 60_000 })).toBe('passed')
      const ours = await wire.takeOne()
      expect(await systemd.call(['sd_notify_barrier', '60000000'], wire.env)).toBe(1)
      const theirs = await wire.takeOne()
      expect([ours.data, ours.fds]).toEqual([theirs.data, theirs.fds])
      expect(ours.data).toEqual(Buffer.from('BARRIER=1'))
      expect(ours.fds).toEqual(['pipe, write'])
    })

    test('no assignment that is not compared above', () => {
      const said = SAYINGS.flatMap(({ assignments }) => Object.keys(assignments))
      const all = [...Object.keys(ASSIGNMENT_RULES), 'extra'].filter((key) => key !== 'barrier')
      expect([...new Set(said)].toSorted()).toEqual(all.toSorted())
    })

    test('of systemd-notify(1) --pid both lines, in its order', async () => {
      const wire = new Wire()
      await systemd.notify(['--no-block', `--pid=${process.pid}`], wire.env)
      const theirs = await wire.takeOne()
      // It tells the id since 257.
      const id = version >= 257 ? { mainPidFdId: ownPidfdId() } : {}
      await notify({ mainPid: process.pid, ...id }, { env: wire.env })
      const ours = await wire.takeOne()
      expect(ours.data).toEqual(theirs.data)
      // It claims to be that process, or its parent: both are this one. A claim needs root.
      if (hasRoot) expect(ours.sender).toEqual(theirs.sender)
    })

    test.each(reloadingOption)(
      'a time of the reload from the clock of systemd-notify(1) %s',
      async (option) => {
        const wire = new Wire()
        const before = monotonicUsec()
        await reloading({ env: wire.env })
        await systemd.notify(['--no-block', option], wire.env)
        await reloading({ env: wire.env })
        const stamps = [before, ...(await wire.take(3)).map(stampOf), monotonicUsec()]
        // One clock, one unit: theirs is between ours.
        expect(stamps).toEqual(stamps.toSorted(ascending))
      },
    )
  })

  describe('notify() differs, with a reason:', () => {
    test.each(DIFFERENCES.map((each) => [each.why, each] as const))(
      '%s',
      async (_why, { assignments, fds = 0, theirs, ours, theirsRead }) => {
        const wire = new Wire()
        await say({ state: theirs, fds }, systemd, wire.env)
        expect((await wire.takeOne()).data).toEqual(Buffer.from(theirs))

        const sending = notify(assignments, { env: wire.env, fds: open(fds) })
        if (typeof ours === 'string') {
          await sending
          expect((await wire.takeOne()).data.toString()).toBe(ours)
        } else {
          await expect(sending).rejects.toThrow(expect.objectContaining(ours))
        }

        const inbox = new Inbox()
        await say({ state: theirs, fds }, systemd, inbox.env)
        await inbox.until(1)
        for (const fd of inbox.fds) closeFd(fd)
        expect(inbox.said).toEqual(theirsRead === undefined ? [] : [theirsRead])
      },
    )

    test('more descriptors than one message carries go in two; sd_notify(3) refuses them', async () => {
      const wire = new Wire()
      const words = ['sd_pid_notify_with_fds', '0', Buffer.from('FDSTORE=1'), '254'] as const
      // E2BIG; before 257 the kernel's EINVAL.
      expect(await systemd.call([...words], wire.env)).toBe(version >= 257 ? -7 : -22)
      await notify({ fdStore: true }, { env: wire.env, fds: open(254) })
      expect((await wire.take(2)).map(({ fds }) => fds.length)).toEqual([253, 1])
    })

    test('a reload always has its time, which sd_notify(3) leaves to its caller', async () => {
      const wire = new Wire()
      await systemd.call(['sd_notify', Buffer.from('RELOADING=1')], wire.env)
      expect((await wire.takeOne()).data.toString()).toBe('RELOADING=1')
      const before = monotonicUsec()
      await notify({ reloading: true }, { env: wire.env })
      const stamp = stampOf(await wire.takeOne())
      const stamps = [before, stamp, monotonicUsec()]
      expect(stamps).toEqual(stamps.toSorted(ascending))
    })
  })

  describe('NotifyReceiver reads', () => {
    test.each(titled(SAYINGS))('what sd_notify(3) sends: %s', async (_title, saying) => {
      const inbox = new Inbox()
      await say(saying, systemd, inbox.env)
      await inbox.until(1)
      expectSaid(inbox, saying)
    })

    test.each(titled(byOptions))(
      'what systemd-notify(1) sends, and its barrier: %s',
      async (_title, saying) => {
        const inbox = new Inbox()
        // Without an answer to its barrier it would fail after five seconds.
        await systemd.notify(wordsOf(saying), { ...inbox.env, fds: open(saying.fds ?? 0) })
        expectSaid(inbox, saying)
      },
    )

    test('sd_notify_barrier(3), and answers it', async () => {
      const inbox = new Inbox()
      await systemd.call(['sd_notify', Buffer.from('READY=1')], inbox.env)
      expect(await systemd.call(['sd_notify_barrier', '60000000'], inbox.env)).toBe(1)
      expect(inbox.said).toEqual([{ ready: true }])
    })

    test.each(reloadingOption)('of systemd-notify(1) %s the time', async (option) => {
      const inbox = new Inbox()
      await systemd.notify([option], inbox.env)
      expect(inbox.said).toEqual([{ reloading: true, monotonicUsec: expect.any(BigInt) }])
    })

    test('a pid that --pid=self found', async () => {
      const inbox = new Inbox()
      await systemd.notify(['--pid=self', '--ready'], inbox.env)
      const [{ assignments, sender } = { assignments: {}, sender: undefined }] = inbox.notifications
      expect(assignments).toMatchObject({ ready: true, mainPid: sender!.pid })
      expect('mainPidFdId' in assignments).toBe(version >= 257)
    })

    test('that a word twice is said once: the argument wins over the option', async () => {
      const inbox = new Inbox()
      await systemd.notify(['--ready', '--status=one', 'STATUS=two'], inbox.env)
      expect(inbox.said).toEqual([{ ready: true, status: 'two' }])
    })

    test('the error that systemd-notify(1) tells of itself when it fails', async () => {
      const inbox = new Inbox()
      await expect(systemd.notify(['--no-such-option'], inbox.env)).rejects.toThrow('option')
      await inbox.until(version >= 254 ? 2 : 1)
      expect(inbox.said.slice(0, 2)).toEqual(
        version >= 254 ? [{ errno: 22 }, { exitStatus: 1 }] : [{ errno: 22 }],
      )
    })
  })

  describe('a sender', () => {
    test('is told by both, and is itself', async () => {
      const inbox = new Inbox()
      await notify({ ready: true }, { env: inbox.env })
      await systemd.call(['sd_notify', Buffer.from('READY=1')], inbox.env)
      await inbox.until(2)
      const [ours, theirs] = inbox.notifications.map(({ sender }) => sender)
      const self = { uid: process.getuid!(), gid: process.getgid!() }
      expect(ours).toEqual({ pid: process.pid, ...self })
      expect(theirs).toMatchObject(self)
      expect(theirs!.pid).not.toBe(process.pid)
    })

    test.runIf(hasRoot)('that sd_pid_notify(3) or --uid claims is the one', async () => {
      const inbox = new Inbox()
      await systemd.call(['sd_pid_notify', String(process.pid), Buffer.from('READY=1')], inbox.env)
      await systemd.notify(['--no-block', '--uid=nobody', '--ready'], inbox.env)
      await inbox.until(2)
      expect(inbox.notifications.map(({ sender }) => sender)).toMatchObject([
        { pid: process.pid, uid: 0 },
        { pid: process.pid, uid: 65_534 },
      ])
    })

    test.runIf(hasRoot)('that claims to be another without being root is itself', async () => {
      const inbox = new Inbox()
      const words = ['sd_pid_notify', String(process.pid), Buffer.from('READY=1')] as const
      await systemd.call([...words], { ...inbox.env, asNobody: true, record: true })
      await inbox.until(1)
      const { pid, uid } = inbox.notifications[0]!.sender
      expect([pid === process.pid, uid]).toEqual([false, 65_534])
      // With the claim, and again without it.
      expect(systemd.sends().map(({ errno, control }) => [errno, control])).toEqual([
        [1, [`credentials ${process.pid} 65534 65534`]],
        [0, []],
      ])
    })
  })

  describe('sendmsg(2) gets from notify()', () => {
    test.each([
      ['READY=1', 'READY=1', 0, 0],
      ['a descriptor', 'FDSTORE=1', 1, 0],
      // The claim is refused to others than root, and both try again without it.
      ['another sender', 'READY=1', 0, process.pid],
      ['another sender and a descriptor', 'FDSTORE=1', 1, process.pid],
    ])('what it gets from sd_notify(3): %s', async (_what, state, fds, pid) => {
      const wire = new Wire()
      const options = { ...wire.env, record: true }
      const words = ['sd_pid_notify_with_fds', `${pid}`, Buffer.from(state), `${fds}`] as const
      await systemd.call([...words], options)
      const [theirs] = systemd.sends()
      const assignments = fds > 0 ? { fdStore: true } : { ready: true }
      await systemd.runOther(
        process.execPath,
        [fixture('send-recorded.mjs'), JSON.stringify(assignments), `${fds}`, `${pid}`],
        options,
      )
      const [connected, ours] = ownCalls(systemd.sends(), theirs!)
      const [one, other] = await wire.take(2)
      if (pid !== 0 && hasRoot) expect([one!.sender.pid, other!.sender.pid]).toEqual([pid, pid])

      const { address, ...others } = theirs!
      // We connect once, and libsystemd gives the address each time: the same bytes, of the same length.
      expect(connected!.address).toBe(address)
      // A service that waits cannot answer its watchdog: where libsystemd blocks, we queue.
      expect(theirs!.flags).toBe(MSG_NOSIGNAL)
      expect(ours).toEqual({ ...others, flags: MSG_NOSIGNAL | MSG_DONTWAIT, address: '' })
      const credentials = `credentials ${pid} ${process.getuid!()} ${process.getgid!()}`
      expect(ours!.control).toEqual([
        ...(fds > 0 ? [`rights ${fds}`] : []),
        ...(pid > 0 ? [credentials] : []),
      ])
    })
  })
}

function say(
  { state, fds = 0 }: { state: string | Buffer; fds?: number },
  systemd: Systemd,
  { NOTIFY_SOCKET }: { NOTIFY_SOCKET: string },
): Promise<unknown> {
  const bytes = Buffer.from(state)
  const words = fds > 0 ? ['sd_pid_notify_with_fds', '0', bytes, `${fds}`] : ['sd_notify', bytes]
  return systemd
    .call(words as [string, ...string[]], { NOTIFY_SOCKET })
    .then((result) => expect(result).toBe(1))
}

function titled(sayings: readonly Saying[]): [string, Saying][] {
  return sayings.map((saying) => {
    const { state, fds, options } = saying
    const words = Array.isArray(options) ? ` by ${options.join(' ')}` : ''
    const title = `${state.replaceAll('\n', ' ')}${fds === undefined ? '' : ` with ${fds} descriptors`}${words}`
    return [title.length > 90 ? `${title.slice(0, 89)}…` : title, saying]
  })
}

function expectSaid(inbox: Inbox, { assignments, read, fds = 0 }: Saying): void {
  expect(inbox.rejections).toEqual([])
  expect(inbox.said).toEqual([read ?? assignments])
  expect(inbox.notifications[0]!.problems).toEqual([])
  expect(inbox.fds).toHaveLength(fds)
  for (const fd of inbox.fds.splice(0)) closeFd(fd)
}

function wordsOf({ options, state }: Saying): readonly string[] {
  return options === undefined || options === 'cannot' ? state.split('\n') : options
}

// The addon sends one message; the calls before it are the look-up of the address.
function ownCalls(calls: RecordedCall[], { address }: RecordedCall): RecordedCall[] {
  const connected = calls.find((each) => each.call === 'connect' && each.address === address)
  const sent = calls.find(({ call }) => call === 'sendmsg')
  return [connected!, sent!]
}

function open(count: number): number[] {
  const fds = Array.from({ length: count }, () => openSync('/dev/null', 'r'))
  onTestFinished(() => fds.forEach((fd) => closeFd(fd)))
  return fds
}

function monotonicUsec(): bigint {
  return process.hrtime.bigint() / 1000n
}

function stampOf({ data }: WireMessage): bigint {
  return BigInt(/^RELOADING=1\nMONOTONIC_USEC=([1-9]\d*)$/.exec(data.toString())![1]!)
}

function ownPidfdId(): bigint {
  const pidfd = pidfdOpen(process.pid)
  const id = pidfdId(pidfd)
  closeFd(pidfd)
  return id!
}

function ascending(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0
}

function fixture(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
