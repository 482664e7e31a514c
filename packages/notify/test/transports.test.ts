import { execFile } from 'node:child_process'
import { setMaxListeners } from 'node:events'
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { findUnixDgram } from '../../../test/support/unix-dgram.js'
import { addonTransport } from '../src/addon-transport.js'
import type { Assignments } from '../src/assignments.js'
import { barrier } from '../src/barrier.js'
import { encodeMessage } from '../src/encode-message.js'
import { notify, notifySync } from '../src/notify.js'
import { QUEUE_LIMIT } from '../src/send-queue.js'
import { ready, reloading, status, stopping } from '../src/service-states.js'
import { systemdNotify } from '../src/systemd-notify.js'
import type { Transport } from '../src/transport.js'
import { unixDgram } from '../src/unix-dgram.js'
import { Inbox } from './inbox.js'
import { RawInbox } from './raw-inbox.js'

/** A transport, and what it states that it can do. */
interface Candidate {
  name: string
  transport: Transport
  carriesFds: boolean
  carriesCredentials: boolean
  /** Reaches abstract names. */
  abstract: boolean
  /** What comes of a path that is too long for a socket address. */
  longPath: 'sent' | 'ERR_NOTIFY_SEND_FAILED' | 'ERR_NOTIFY_UNSUPPORTED'
}

const unixDgramPackage = await findUnixDgram()

const CANDIDATES: Candidate[] = [
  {
    name: 'addon',
    transport: addonTransport,
    carriesFds: true,
    carriesCredentials: true,
    abstract: true,
    longPath: 'sent',
  },
]
if (works('systemd-notify', '--version')) {
  CANDIDATES.push({
    name: 'systemd-notify',
    transport: systemdNotify,
    carriesFds: false,
    carriesCredentials: false,
    abstract: true,
    longPath: 'ERR_NOTIFY_SEND_FAILED',
  })
}
if (unixDgramPackage !== undefined) {
  CANDIDATES.push({
    name: 'unix-dgram',
    transport: unixDgram(unixDgramPackage.module),
    carriesFds: false,
    carriesCredentials: false,
    abstract: false,
    longPath: 'ERR_NOTIFY_UNSUPPORTED',
  })
}

const FIXTURE = fileURLToPath(new URL('fixtures/send-by-transport.mjs', import.meta.url))

const MESSAGES: Assignments[] = [
  { ready: true },
  { ready: true, status: 'up', mainPid: 4711, mainPidFdId: 2n ** 64n - 1n },
  { reloading: true, monotonicUsec: 5 },
  { stopping: true, exitStatus: 255, errno: 'ENOENT' },
  { status: '' },
  { status: ' "double" \'single\' $HOME `id` %n A=B=C ; * ? ' },
  { status: 'Grüße ✓ 🚀' },
  { status: '--help' },
  { status: 'one\nMAINPID=1\r\nC:\\new\0end\\' },
  { status: 'ü'.repeat(5000), ready: true },
  { watchdog: 'trigger' },
  { watchdogUsec: 'infinity' },
  { extendTimeoutUsec: 10 },
  { fdStoreRemove: true, fdName: '' },
  { notifyAccess: 'all', busError: 'org.example.Failed', varlinkError: '' },
  { extra: { X_A: '--pid=1', X_B: '', X_C: ' é\t"=\\', X_1: '-' } },
]

describe.each(CANDIDATES)('over $name', ({ name, transport, ...can }) => {
  function newInbox(): RawInbox {
    return new RawInbox(join(temporaryDirectory(), 'notify'))
  }

  function mark(env: NodeJS.ProcessEnv, index: number, signal?: AbortSignal): Promise<boolean> {
    const options = { env, transport, ...(signal !== undefined && { signal }) }
    return notify({ extra: { X_MARK: String(index) } }, options)
  }

  test('it is said what goes this way', () => {
    const outlet = transport.open({ kind: 'unix-path', path: '/nonexistent/notify' })
    expect(outlet.carriesFds).toBe(can.carriesFds)
    expect(outlet.carriesCredentials).toBe(can.carriesCredentials)
    outlet.close()
    expect(transport.name).toBe(name)
  })

  describe('messages', () => {
    test('arrive byte for byte', async () => {
      const inbox = newInbox()
      for (const assignments of MESSAGES) {
        expect(await notify(assignments, { env: inbox.env, transport })).toBe(true)
      }
      await inbox.until(MESSAGES.length)
      expect(inbox.texts).toEqual(
        MESSAGES.map((assignments) => encodeMessage(assignments, 0).toString()),
      )
    })

    test('that are not waited for arrive in order', async () => {
      const inbox = newInbox()
      const all = Array.from({ length: 20 }, (_, index) => mark(inbox.env, index))
      expect(await Promise.all(all)).toEqual(Array(20).fill(true))
      await inbox.until(20)
      expect(inbox.texts).toEqual(Array.from({ length: 20 }, (_, index) => `X_MARK=${index}`))
    })

    test('of the verbs say what their names say', async () => {
      const inbox = newInbox()
      const options = { env: inbox.env, transport }
      await ready('serving', options)
      await reloading(options)
      await status('busy\nREADY=1', options)
      await stopping(undefined, options)
      await inbox.until(4)
      expect(inbox.texts).toEqual([
        'READY=1\nSTATUS=serving',
        expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+$/),
        'STATUS=busy READY=1',
        'STOPPING=1',
      ])
    })

    test('leave no descriptor behind', async () => {
      const inbox = newInbox()
      await mark(inbox.env, 0)
      const before = readdirSync('/proc/self/fd').length
      for (let index = 1; index <= 20; index++) await mark(inbox.env, index)
      expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before)
    })

    test('go to the new socket when the manager has replaced its own', async () => {
      const first = newInbox()
      await mark(first.env, 1)
      await first.until(1)
      first.close()
      await expect(mark(first.env, 2)).rejects.toMatchObject({
        code: 'ERR_NOTIFY_SEND_FAILED',
        cause: { code: 'ECONNREFUSED' },
      })
      rmSync(first.path)
      const second = new RawInbox(first.path)
      await mark(first.env, 3)
      await second.until(1)
      expect(second.texts).toEqual(['X_MARK=3'])
    })
  })

  describe('an address', () => {
    test('that is no datagram socket: the error has the reason in its cause', async () => {
      const directory = temporaryDirectory()
      const file = join(directory, 'file')
      writeFileSync(file, '')
      const stream = join(directory, 'stream')
      const server = createServer().listen(stream)
      onTestFinished(() => void server.close())
      await new Promise((resolve) => server.once('listening', resolve))
      const cases = [
        [join(directory, 'missing'), 'ENOENT'],
        [file, 'ECONNREFUSED'],
        [stream, 'EPROTOTYPE'],
      ] as const
      for (const [NOTIFY_SOCKET, code] of cases) {
        const options = { env: { NOTIFY_SOCKET }, transport }
        const failure = { code: 'ERR_NOTIFY_SEND_FAILED', address: NOTIFY_SOCKET, cause: { code } }
        await expect(ready('up', options)).rejects.toMatchObject(failure)
        expect(thrownBy(() => notifySync({ ready: true }, options))).toMatchObject(failure)
      }
    })

    test('that is abstract is reached, or refused', async () => {
      const inbox = new Inbox()
      const sent = ready('up', { env: inbox.env, transport })
      if (!can.abstract) {
        await expect(sent).rejects.toMatchObject({ code: 'ERR_NOTIFY_UNSUPPORTED' })
        return
      }
      await sent
      await inbox.until(1)
      expect(inbox.said).toEqual([{ ready: true, status: 'up' }])
    })

    test('of more than 107 bytes is reached, or refused, and nothing is sent elsewhere', async () => {
      const directory = join(temporaryDirectory(), 'd'.repeat(120))
      mkdirSync(directory)
      const inbox = new Inbox(join(directory, 'notify'))
      const sent = ready('up', { env: inbox.env, transport })
      if (can.longPath !== 'sent') {
        await expect(sent).rejects.toMatchObject({ code: can.longPath })
        return
      }
      await sent
      await inbox.until(1)
      expect(inbox.said).toEqual([{ ready: true, status: 'up' }])
    })

    test('in a virtual machine is refused where it cannot be reached', async () => {
      const options = { env: { NOTIFY_SOCKET: 'vsock:2:1' }, transport }
      const error = await ready('up', options).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_NOTIFY_/) })
    })
  })

  describe('descriptors', () => {
    test('go along, or are refused', async () => {
      const inbox = newInbox()
      const fd = openSync('/dev/null', 'r')
      onTestFinished(() => closeSync(fd))
      const sent = notify(
        { fdStore: true, fdName: 'null' },
        { env: inbox.env, transport, fds: [fd] },
      )
      if (can.carriesFds) {
        await sent
        await inbox.until(1)
      } else {
        await expect(sent).rejects.toMatchObject({ code: 'ERR_NOTIFY_UNSUPPORTED' })
        expect(inbox.texts).toEqual([])
      }
    })

    test('of a barrier: it passes, or it is told that there is no way', async () => {
      const inbox = newInbox()
      const outcome = await barrier({ env: inbox.env, transport })
      expect(outcome).toBe(can.carriesFds ? 'passed' : 'unsupported')
    })
  })

  test.runIf(isRoot())(
    'a claimed sender is sent as, or a warning says that it is not',
    async () => {
      const inbox = newInbox()
      // The text of a warning is given once: a pid of each one's own.
      const pid = can.carriesCredentials ? process.ppid : 1000 + name.length
      const warnings: unknown[] = []
      const onWarning = (warning: Error & { code?: string }): void =>
        void warnings.push(warning.code)
      process.on('warning', onWarning)
      onTestFinished(() => void process.off('warning', onWarning))
      await notify({ ready: true }, { env: inbox.env, transport, pid })
      await inbox.until(1)
      await new Promise((resolve) => setImmediate(resolve))
      expect(inbox.messages).toEqual([
        { text: 'READY=1', pid: can.carriesCredentials ? pid : process.pid },
      ])
      expect(warnings).toEqual(can.carriesCredentials ? [] : ['NOTIFY_SENDER_REFUSED'])
    },
  )

  describe('a manager that does not read', () => {
    test('gets all in order when it is back, and the event loop goes on meanwhile', async () => {
      const inbox = newInbox()
      const filled = await fill(inbox)
      const waiting = Array.from({ length: 10 }, (_, index) => mark(inbox.env, index))
      let settled = false
      void Promise.race(waiting).then(() => (settled = true))
      for (let turns = 0; turns < 10; turns++) await new Promise((done) => setTimeout(done, 1))
      expect(settled).toBe(false)
      inbox.resume()
      expect(await Promise.all(waiting)).toEqual(Array(10).fill(true))
      await inbox.until(filled + 10)
      expect(inbox.texts.slice(filled)).toEqual(waiting.map((_, index) => `X_MARK=${index}`))
    })

    test('is told only the latest of pings, and of status texts, that waited', async () => {
      const inbox = newInbox()
      const filled = await fill(inbox)
      const options = { env: inbox.env, transport }
      const all = [
        // The one that may be under way.
        mark(inbox.env, 0),
        notify({ watchdog: true }, options),
        status('one', options),
        mark(inbox.env, 1),
        notify({ watchdog: true }, options),
        status('two', options),
        ready('not alone', options),
      ]
      inbox.resume()
      expect(await Promise.all(all)).toEqual(Array(7).fill(true))
      await inbox.until(filled + 5)
      expect(inbox.texts.slice(filled)).toEqual([
        'X_MARK=0',
        'X_MARK=1',
        'WATCHDOG=1',
        'STATUS=two',
        'READY=1\nSTATUS=not alone',
      ])
    })

    test('is not told what was aborted meanwhile', async () => {
      const inbox = newInbox()
      const filled = await fill(inbox)
      const controller = new AbortController()
      const first = mark(inbox.env, 1)
      const aborted = mark(inbox.env, 2, controller.signal)
      const last = mark(inbox.env, 3)
      controller.abort(new Error('enough'))
      await expect(aborted).rejects.toThrow('enough')
      inbox.resume()
      await Promise.all([first, last])
      await inbox.until(filled + 2)
      expect(inbox.texts.slice(filled)).toEqual(['X_MARK=1', 'X_MARK=3'])
    })

    test('makes a message beyond the limit fail, and none before it', async () => {
      const inbox = newInbox()
      await fill(inbox)
      const { signal, abort } = abortable()
      // One more than may wait, as one may be under way.
      const count = QUEUE_LIMIT + 1
      const waiting = Array.from({ length: count }, (_, index) => mark(inbox.env, index, signal))
      await expect(mark(inbox.env, count, signal)).rejects.toMatchObject({
        code: 'ERR_NOTIFY_QUEUE_FULL',
      })
      abort()
      const outcomes = await Promise.allSettled(waiting)
      const full = outcomes.filter(
        (each) => each.status === 'rejected' && each.reason?.code === 'ERR_NOTIFY_QUEUE_FULL',
      )
      expect(full.length).toBeLessThanOrEqual(1)
    })

    test('and then ends makes every message that waits fail', async () => {
      const inbox = newInbox()
      await fill(inbox)
      const waiting = [mark(inbox.env, 1), mark(inbox.env, 2)]
      inbox.close()
      for (const each of await Promise.allSettled(waiting)) {
        expect(each).toMatchObject({
          status: 'rejected',
          reason: { code: 'ERR_NOTIFY_SEND_FAILED', cause: { code: 'ECONNREFUSED' } },
        })
      }
    })

    test('holds up a synchronous call until its time is over', async () => {
      const inbox = newInbox()
      await fill(inbox)
      const options = { env: inbox.env, transport, timeoutMs: 20 }
      expect(thrownBy(() => notifySync({ stopping: true }, options))).toMatchObject({
        code: 'ERR_NOTIFY_TIMEOUT',
      })
    })

    test('does not hold up the end of a process that only pings', async () => {
      const inbox = newInbox()
      await fill(inbox)
      await run(inbox, 'watchdog', { WATCHDOG_USEC: '60000000' })
    })

    test('holds up the end of a process that has to say that it is ready', async () => {
      const inbox = newInbox()
      const filled = await fill(inbox)
      const ended = run(inbox, 'ready')
      // Time for a child that is not held up to end, with exit code 13.
      await new Promise((resolve) => setTimeout(resolve, 300))
      inbox.resume()
      await ended
      await inbox.until(filled + 3)
      expect(inbox.texts.slice(filled)).toEqual([1, 2, 3].map((n) => `READY=1\nSTATUS=number ${n}`))
    })
  })

  describe('the process', () => {
    test('ends by itself when all is sent', async () => {
      const inbox = newInbox()
      await run(inbox, 'ready')
      await inbox.until(3)
      expect(inbox.texts).toEqual([1, 2, 3].map((n) => `READY=1\nSTATUS=number ${n}`))
    })

    test('that exits right after a synchronous call has said its last word', async () => {
      const inbox = newInbox()
      await run(inbox, 'sync')
      await inbox.until(1)
      expect(inbox.texts).toEqual(['STOPPING=1\nSTATUS=exiting'])
    })
  })

  // Exit code 0: an `await` that is never settled would be 13.
  async function run(inbox: RawInbox, act: string, env: object = {}): Promise<void> {
    await promisify(execFile)(process.execPath, [FIXTURE, act], {
      env: {
        PATH: process.env['PATH'],
        ...inbox.env,
        TEST_TRANSPORT: name,
        TEST_UNIX_DGRAM: unixDgramPackage?.path,
        ...env,
      },
      timeout: 25_000,
      killSignal: 'SIGKILL',
    })
  }
})

// Sends by the addon until the kernel takes no more, and withdraws the one that has to wait. Returns how many are there.
async function fill(inbox: RawInbox): Promise<number> {
  inbox.pause()
  for (let count = 0; ; count++) {
    const { signal, abort } = abortable()
    const options = { env: inbox.env, transport: addonTransport, signal }
    const sent = notify({ extra: { X_FILL: String(count) } }, options)
    const full = new Promise<'full'>((resolve) => setImmediate(resolve, 'full'))
    if ((await Promise.race([sent, full])) !== 'full') continue
    abort()
    await sent.catch(() => {})
    return count
  }
}

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController()
  // One for many messages.
  setMaxListeners(0, controller.signal)
  return { signal: controller.signal, abort: () => controller.abort() }
}
