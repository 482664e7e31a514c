import { DatagramSocket } from '@sdbridge/syscalls'
import { describe, expect, test } from 'vitest'
import { notify, notifySync, ready, status, type Transport } from '../src/index.js'
import { Inbox } from './inbox.js'

describe('a transport that takes its time', () => {
  test('gets one message at a time, in order, and none of those that were superseded', async () => {
    const inbox = new Inbox()
    const options = { env: inbox.env, transport: slow() }
    const all = [
      ready('one', options),
      status('two', options),
      notify({ extra: { X_MARK: '1' } }, options),
      status('three', options),
      notify({ extra: { X_MARK: '2' } }, options),
    ]
    expect(await Promise.all(all)).toEqual(Array(5).fill(true))
    await inbox.until(4)
    expect(inbox.said).toEqual([
      { ready: true, status: 'one' },
      { extra: { X_MARK: '1' } },
      { status: 'three' },
      { extra: { X_MARK: '2' } },
    ])
  })

  test('and fails: that call fails, and the next one is sent', async () => {
    const inbox = new Inbox()
    const options = { env: inbox.env, transport: slow('READY=1') }
    const failing = [ready(undefined, options), ready(undefined, options)]
    const sent = status('after', options)
    for (const each of await Promise.allSettled(failing)) {
      expect(each).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_NOTIFY_SEND_FAILED', cause: { code: 'EIO' } },
      })
    }
    expect(await sent).toBe(true)
    await inbox.until(1)
    expect(inbox.said).toEqual([{ status: 'after' }])
  })

  test('is not waited for any more by who has given up; what waits behind it can be, too', async () => {
    const inbox = new Inbox()
    const controller = new AbortController()
    const options = { env: inbox.env, transport: slow() }
    const given = { ...options, signal: controller.signal }
    const first = notify({ extra: { X_MARK: 'under way' } }, given)
    const second = notify({ extra: { X_MARK: 'waits' } }, given)
    const third = notify({ extra: { X_MARK: 'kept' } }, options)
    controller.abort(new Error('enough'))
    for (const each of [first, second]) await expect(each).rejects.toThrow('enough')
    expect(inbox.said).toEqual([])
    await third
    await inbox.until(2)
    expect(inbox.said).toEqual([{ extra: { X_MARK: 'under way' } }, { extra: { X_MARK: 'kept' } }])
  })

  test('and carries no descriptors: they are refused', async () => {
    const inbox = new Inbox()
    const options = { env: inbox.env, transport: slow(), fds: [0] }
    await expect(notify({ fdStore: true }, options)).rejects.toMatchObject({
      code: 'ERR_NOTIFY_UNSUPPORTED',
    })
  })

  test('and cannot send at once: notifySync() says so, and sends nothing twice', async () => {
    const inbox = new Inbox()
    const options = { env: inbox.env, transport: slow() }
    for (let round = 0; round < 2; round++) {
      expect(() => notifySync({ stopping: true }, options)).toThrow(
        expect.objectContaining({ code: 'ERR_NOTIFY_UNSUPPORTED' }),
      )
    }
    expect(await status('after', options)).toBe(true)
    await inbox.until(2)
    expect(inbox.said).toEqual([{ stopping: true }, { status: 'after' }])
  })
})

/** Sends by a socket of the addon, a moment later; `refused` is a message that it does not send. */
function slow(refused?: string): Transport {
  return {
    name: 'slow',
    open(address) {
      if (address.kind !== 'unix-abstract') throw new Error(`unexpected: ${address.kind}`)
      let busy = false
      return {
        carriesFds: false,
        carriesCredentials: false,
        async trySend({ data }) {
          if (busy) throw new Error('one at a time')
          busy = true
          await new Promise((resolve) => setTimeout(resolve, 5))
          busy = false
          if (Buffer.from(data).toString() === refused) {
            throw Object.assign(new Error('EIO: refused'), { code: 'EIO' })
          }
          const socket = new DatagramSocket('unix')
          socket.connect({ family: 'unix', abstract: Buffer.from(address.name) })
          socket.trySend(data)
          socket.close()
        },
        onceRoom() {},
        keepAlive() {},
        close() {},
      }
    },
  }
}
