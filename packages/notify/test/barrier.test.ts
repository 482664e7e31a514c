import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { barrier, notify } from '../src/index.js'
import { makeBusy } from './busy-manager.js'
import { Inbox } from './inbox.js'
import { Program } from './program.js'

describe('barrier', () => {
  test('passes when everything before it was read, and leaves no descriptor', async () => {
    const inbox = new Inbox()
    const { env } = inbox
    expect(await barrier({ env })).toBe('passed')
    const before = openFds()
    for (let round = 0; round < 20; round++) {
      void notify({ extra: { X_ROUND: String(round) } }, { env })
      expect(await barrier({ env })).toBe('passed')
      expect(inbox.said).toHaveLength(round + 1)
    }
    expect(openFds()).toEqual(before)
  })

  test('without a service manager says so', async () => {
    expect(await barrier({ env: {} })).toBe('no-manager')
  })

  test('several at once', async () => {
    const { env } = new Inbox()
    const all = Array.from({ length: 50 }, () => barrier({ env }))
    expect(await Promise.all(all)).toEqual(Array(50).fill('passed'))
  })

  test('is answered after what waits in front of it', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const { env } = inbox
    const sent = notify({ ready: true }, { env })
    const asked = barrier({ env, timeoutMs: Infinity })
    inbox.receiver.resume()
    expect(await Promise.all([sent, asked])).toEqual([true, 'passed'])
    expect(inbox.said).toContainEqual({ ready: true })
  })

  test.each([0, 20])('a manager that does not answer within %d ms', async (timeoutMs) => {
    const inbox = new Inbox()
    const { env } = inbox
    inbox.receiver.pause()
    const before = openFds()
    await expect(barrier({ env, timeoutMs })).rejects.toMatchObject({ code: 'ERR_NOTIFY_TIMEOUT' })
    expect(openFds().length).toBeLessThanOrEqual(before.length + 4) // The poller's, once.
    await expect(barrier({ env, timeoutMs })).rejects.toMatchObject({ code: 'ERR_NOTIFY_TIMEOUT' })
  })

  test('a manager that does not even take it', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    await expect(barrier({ env: inbox.env, timeoutMs: 20 })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_TIMEOUT',
    })
    // And it is not sent later.
    inbox.receiver.resume()
    expect(await barrier({ env: inbox.env })).toBe('passed')
  })

  test('is given up', async () => {
    const inbox = new Inbox()
    inbox.receiver.pause()
    const { env } = inbox
    const controller = new AbortController()
    const asked = barrier({ env, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    await expect(barrier({ env, signal: controller.signal })).rejects.toThrow('enough')
  })

  test('is given up for no reason at all', async () => {
    const inbox = new Inbox()
    inbox.receiver.pause()
    const controller = new AbortController()
    const asked = barrier({ env: inbox.env, signal: controller.signal })
    controller.abort(null)
    expect(await asked.catch((reason: unknown) => reason)).toBeNull()
  })

  test('a manager that ends meanwhile has answered', async () => {
    // As with libsystemd: the kernel closes the pipe.
    const inbox = new Inbox()
    inbox.receiver.pause()
    const asked = barrier({ env: inbox.env })
    inbox.receiver.close()
    expect(await asked).toBe('passed')
  })

  test('signals that arrive meanwhile do no harm', async () => {
    const inbox = new Inbox()
    inbox.receiver.pause()
    const source = `
      import { barrier } from '@sdbridge/notify'
      let signals = 0
      process.on('SIGUSR1', () => { if (++signals === 20) console.log('20 signals') })
      console.log('asking')
      console.log(await barrier({ timeoutMs: 60_000 }))`
    const program = new Program(source, inbox.env)
    await program.prints('asking')
    const signals = setInterval(() => program.child.kill('SIGUSR1'), 2)
    await program.prints('20 signals').finally(() => clearInterval(signals))
    inbox.receiver.resume()
    await program.ended
    expect(program.stdout).toContain('passed')
  })

  test.each([-1, Number.NaN, '5' as unknown as number])('timeoutMs %s', async (timeoutMs) => {
    await expect(barrier({ env: {}, timeoutMs })).rejects.toThrow(TypeError)
  })
})

// What systemd-notify --fork does to its socket (Linux 6.16).
const REFUSES_DESCRIPTORS = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 83, 0)
if len(sys.argv) > 1:
    s.bind(sys.argv[1])
    sys.stdout.write('bound\\n')
    sys.stdout.flush()
    sys.stdout.write(s.recv(100).decode() + '\\n')
    sys.stdout.flush()`

describe.runIf(works(PYTHON, '-c', REFUSES_DESCRIPTORS))('a receiver without descriptors', () => {
  test('does not support barriers, and the service is none the worse', async () => {
    const path = join(temporaryDirectory(), 'notify')
    const receiver = spawn(PYTHON, ['-c', REFUSES_DESCRIPTORS, path])
    const [bound] = (await once(receiver.stdout, 'data')) as [Buffer]
    expect(bound.toString()).toBe('bound\n')
    const env = { NOTIFY_SOCKET: path }
    const before = openFds()
    expect(await barrier({ env })).toBe('unsupported')
    expect(openFds()).toHaveLength(before.length + 1) // Our socket, which stays.
    await expect(notify({ fdStore: true }, { env, fds: [0] })).rejects.toThrow(
      /EPERM.*receiver refuses descriptors/,
    )
    expect(await notify({ ready: true }, { env })).toBe(true)
    const [message] = (await once(receiver.stdout, 'data')) as [Buffer]
    expect(message.toString()).toBe('READY=1\n')
  })
})

function openFds(): string[] {
  return readdirSync('/proc/self/fd')
}
