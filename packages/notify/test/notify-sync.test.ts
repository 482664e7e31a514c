import { describe, expect, test } from 'vitest'
import { notify, notifySync, status } from '../src/index.js'
import { makeBusy } from './busy-manager.js'
import { Inbox } from './inbox.js'
import { Program } from './program.js'

describe('notifySync', () => {
  test('sends, and says so', async () => {
    const inbox = new Inbox()
    expect(notifySync({ stopping: true, status: 'bye' }, { env: inbox.env })).toBe(true)
    await inbox.until(1)
    expect(inbox.said).toEqual([{ stopping: true, status: 'bye' }])
  })

  test('without a service manager the answer is false', () => {
    expect(notifySync({ stopping: true }, { env: {} })).toBe(false)
  })

  test('throws what notify() is rejected with', () => {
    const env = { NOTIFY_SOCKET: '/nonexistent/notify' }
    expect(() => notifySync({ ready: true }, { env })).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_SEND_FAILED' }),
    )
    expect(() => notifySync({ fdName: 'x' }, { env: {} })).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_VALUE_INVALID' }),
    )
  })

  test('gives up when the manager stays busy, and what waited still waits', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const { env } = inbox
    const waiting = status('first', { env })
    for (const timeoutMs of [0, 30]) {
      expect(() => notifySync({ stopping: true }, { env, timeoutMs })).toThrow(
        expect.objectContaining({ code: 'ERR_NOTIFY_TIMEOUT' }),
      )
    }
    inbox.receiver.resume()
    expect(await waiting).toBe(true)
    await inbox.until(kernelQueue + 1)
    expect(inbox.said.slice(kernelQueue)).toEqual([{ status: 'first' }])
  })

  test('sends what waits first, blocking until the manager is back', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    // The manager is this process, so somebody else has to wait for it.
    const source = `
      import { notify, notifySync } from '@sdbridge/notify'
      process.on('exit', () => notifySync({ stopping: true, status: 'the end' }, { timeoutMs: 20_000 }))
      void notify({ extra: { X_NUMBER: '1' } }), notify({ extra: { X_NUMBER: '2' } })
      console.log('exiting')
      process.exit(0)`
    const program = new Program(source, inbox.env)
    await program.prints('exiting')
    inbox.receiver.resume()
    expect(await program.ended).toEqual({ code: 0, signal: null })
    await inbox.until(kernelQueue + 3)
    expect(inbox.said.slice(kernelQueue)).toEqual([
      { extra: { X_NUMBER: '1' } },
      { extra: { X_NUMBER: '2' } },
      { stopping: true, status: 'the end' },
    ])
  })

  test('settles the promises of what it has sent for them', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const { env } = inbox
    const waiting = notify({ extra: { X_A: '1' } }, { env })
    // Nobody reads any more: what waits fails, and so does this.
    inbox.receiver.close()
    expect(() => notifySync({ stopping: true }, { env })).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_SEND_FAILED' }),
    )
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_NOTIFY_SEND_FAILED' })
  })
})

describe('notifySync, timeoutMs', () => {
  test.each([-1, Number.NaN, '5' as unknown as number])('%s is refused', (timeoutMs) => {
    expect(() => notifySync({ stopping: true }, { env: {}, timeoutMs })).toThrow(TypeError)
  })

  test('is for all messages of a call', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const options = { env: inbox.env, fds: Array<number>(600).fill(0), timeoutMs: 30 }
    expect(() => notifySync({ fdStore: true }, options)).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_TIMEOUT' }),
    )
  })
})

describe('process.exit()', () => {
  test('gives up what waits, and keeps what the kernel has', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const source = `
      import { notify } from '@sdbridge/notify'
      void notify({ ready: true })
      process.exit(0)`
    const program = new Program(source, inbox.env)
    expect(await program.ended).toEqual({ code: 0, signal: null })
    inbox.receiver.resume()
    await inbox.until(kernelQueue)
    await notify({ extra: { X_LAST: '1' } }, { env: inbox.env })
    await inbox.until(kernelQueue + 1)
    expect(inbox.said.slice(kernelQueue)).toEqual([{ extra: { X_LAST: '1' } }])
  })
})

describe('the end of a process that has nothing else to do', () => {
  test('waits for its messages', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const source = `
      import { notify, status } from '@sdbridge/notify'
      void status('one'), notify({ ready: true })
      console.log('done')`
    const program = new Program(source, inbox.env)
    await program.prints('done')
    inbox.receiver.resume()
    expect(await program.ended).toEqual({ code: 0, signal: null })
    await inbox.until(kernelQueue + 2)
    expect(inbox.said.slice(kernelQueue)).toEqual([{ status: 'one' }, { ready: true }])
  })

  test('does not wait for a ping of watchdog()', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const source = `
      import { watchdog } from '@sdbridge/notify'
      watchdog()`
    const program = new Program(source, { ...inbox.env, WATCHDOG_USEC: '60000000' })
    expect(await program.ended).toEqual({ code: 0, signal: null })
  })
})
