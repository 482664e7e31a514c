import { closeForeignFds } from '@sdbridge/syscalls'
import { describe, expect, test } from 'vitest'
import { barrier, notify, ready, removeFds, status, stopping } from '../src/index.js'
import { QUEUE_LIMIT, QUEUE_LIMIT_OF_STATES } from '../src/send-queue.js'
import { makeBusy } from './busy-manager.js'
import { Inbox } from './inbox.js'

describe('a service manager that takes no messages', () => {
  test('gets them all, in order, when it is back', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const waiting = Array.from({ length: 100 }, (_, index) => mark(inbox, index))
    inbox.receiver.resume()
    expect(await Promise.all(waiting)).toEqual(Array(100).fill(true))
    await inbox.until(kernelQueue + 100)
    expect(marks(inbox)).toEqual(Array.from({ length: 100 }, (_, index) => String(index)))
  })

  test('does not block the event loop', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const waiting = mark(inbox, 0)
    let turns = 0
    while (turns < 10) turns += await new Promise<number>((resolve) => setImmediate(resolve, 1))
    inbox.receiver.resume()
    expect(await waiting).toBe(true)
  })

  test('is told only the latest of pings, and of status texts, that waited', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const { env } = inbox
    const all = [
      notify({ watchdog: true }, { env }),
      status('one', { env }),
      mark(inbox, 1),
      notify({ watchdog: true }, { env }),
      status('two', { env }),
      notify({ ready: true, status: 'not alone' }, { env }),
    ]
    inbox.receiver.resume()
    expect(await Promise.all(all)).toEqual(Array(6).fill(true))
    await inbox.until(kernelQueue + 4)
    expect(inbox.said.slice(kernelQueue)).toMatchObject([
      { extra: { X_MARK: '1' } },
      { watchdog: true },
      { status: 'two' },
      { ready: true, status: 'not alone' },
    ])
  })

  test('is told one of ten thousand status texts, and the others cost nothing', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const { env } = inbox
    const all = Array.from({ length: 10_000 }, (_, index) => status(String(index), { env }))
    // Those that were superseded are settled before the manager is back.
    expect(await Promise.all(all.slice(0, -1))).toEqual(Array(9_999).fill(true))
    inbox.receiver.resume()
    await all.at(-1)
    await inbox.until(kernelQueue + 1)
    expect(inbox.said.at(-1)).toEqual({ status: '9999' })
  })

  test('makes the message beyond the limit fail, and no other', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const waiting = Array.from({ length: QUEUE_LIMIT }, (_, index) => mark(inbox, index))
    await expect(mark(inbox, QUEUE_LIMIT)).rejects.toMatchObject({ code: 'ERR_NOTIFY_QUEUE_FULL' })
    inbox.receiver.resume()
    await Promise.all(waiting)
    await inbox.until(kernelQueue + QUEUE_LIMIT)
    expect(marks(inbox)).toHaveLength(QUEUE_LIMIT)
  })

  test('has places left for states and descriptors where others are refused', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const { env } = inbox
    const waiting = Array.from({ length: QUEUE_LIMIT }, (_, index) => mark(inbox, index))
    await expect(mark(inbox, QUEUE_LIMIT)).rejects.toMatchObject({ code: 'ERR_NOTIFY_QUEUE_FULL' })
    waiting.push(
      ready('late', { env }),
      notify({ reloading: true, monotonicUsec: 1 }, { env }),
      notify({ fdStore: true, fdName: 'in' }, { env, fds: [0] }),
      removeFds('in', { env }),
      notify({ mainPid: 7 }, { env }),
      notify({ watchdog: 'trigger' }, { env }),
      notify({ extendTimeoutUsec: 5 }, { env }),
      notify({ notifyAccess: 'all' }, { env }),
      notify({ watchdogUsec: 0 }, { env: { ...env } }),
      stopping(undefined, { env }),
    )
    inbox.receiver.resume()
    expect(await Promise.all(waiting)).toEqual(Array(QUEUE_LIMIT + 10).fill(true))
    await inbox.until(kernelQueue + QUEUE_LIMIT + 10)
    expect(inbox.said.slice(kernelQueue + QUEUE_LIMIT)).toEqual([
      { ready: true, status: 'late' },
      { reloading: true, monotonicUsec: 1n },
      { fdStore: true, fdName: 'in' },
      { fdStoreRemove: true, fdName: 'in' },
      { mainPid: 7 },
      { watchdog: 'trigger' },
      { extendTimeoutUsec: 5n },
      { notifyAccess: 'all' },
      { watchdogUsec: 0n },
      { stopping: true },
    ])
    closeForeignFds(inbox.fds)
  })

  test('refuses states only when their places are taken as well', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const { env } = inbox
    const waiting = Array.from({ length: QUEUE_LIMIT_OF_STATES }, () => ready(undefined, { env }))
    await expect(stopping(undefined, { env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_QUEUE_FULL',
    })
    await expect(status('beyond', { env })).rejects.toMatchObject({ code: 'ERR_NOTIFY_QUEUE_FULL' })
    inbox.receiver.resume()
    await Promise.all(waiting)
    await inbox.until(kernelQueue + QUEUE_LIMIT_OF_STATES)
  })

  test('is told the latest status also when the places are taken', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const { env } = inbox
    const waiting = Array.from({ length: QUEUE_LIMIT - 1 }, (_, index) => mark(inbox, index))
    waiting.push(status('one', { env }))
    waiting.push(ready(undefined, { env }), ready(undefined, { env }))
    // Refused, it would have taken the first one with it.
    waiting.push(status('two', { env }))
    inbox.receiver.resume()
    expect(await Promise.all(waiting)).toEqual(Array(QUEUE_LIMIT + 3).fill(true))
    expect(await barrier({ env })).toBe('passed')
    expect(inbox.said.at(-1)).toEqual({ status: 'two' })
  })

  test('is told all of a message that begins with a status, though a later one waits', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const { env } = inbox
    const waiting = [
      notify({ status: 'one', ready: true }, { env }),
      notify({ status: 'two', ready: true }, { env }),
      status('three', { env }),
    ]
    inbox.receiver.resume()
    await Promise.all(waiting)
    await inbox.until(kernelQueue + 3)
    expect(inbox.said.slice(kernelQueue)).toEqual([
      { status: 'one', ready: true },
      { status: 'two', ready: true },
      { status: 'three' },
    ])
  })

  test('gets the descriptors that were given, whatever becomes of the array', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const { env } = inbox
    const fds = [0]
    const sent = notify({ mainPidFd: true }, { env, fds })
    fds.length = 0
    inbox.receiver.resume()
    expect(await sent).toBe(true)
    expect(await barrier({ env })).toBe('passed')
    expect(inbox.fds).toHaveLength(1)
    closeForeignFds(inbox.fds)
  })

  test('and one signal for many calls: no warning of a leak, and all are given up', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const { env } = inbox
    const warnings: Error[] = []
    const listener = (warning: Error): number => warnings.push(warning)
    process.on('warning', listener)
    const controller = new AbortController()
    const { signal } = controller
    const all = Array.from({ length: 50 }, (_, index) => [
      notify({ extra: { X_MARK: String(index) } }, { env, signal }),
      barrier({ env, signal }),
    ]).flat()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', listener)
    controller.abort(new Error('enough'))
    for (const each of await Promise.allSettled(all)) {
      expect(each).toMatchObject({ status: 'rejected', reason: { message: 'enough' } })
    }
    expect(warnings).toEqual([])
  })

  test('gets all parts of a message with many descriptors, or none', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const { env } = inbox
    const waiting = Array.from({ length: QUEUE_LIMIT_OF_STATES - 1 }, () =>
      ready(undefined, { env }),
    )
    const many = Array<number>(254).fill(0)
    await expect(notify({ fdStore: true }, { env, fds: many })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_QUEUE_FULL',
    })
    inbox.receiver.resume()
    await Promise.all(waiting)
    expect(await barrier({ env })).toBe('passed')
    expect(inbox.said).not.toContainEqual({ fdStore: true })
  })

  test('is not told what was aborted meanwhile', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const controller = new AbortController()
    const aborted = notify(
      { extra: { X_MARK: 'aborted' } },
      { env: inbox.env, signal: controller.signal },
    )
    const kept = mark(inbox, 1)
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    inbox.receiver.resume()
    await kept
    await inbox.until(kernelQueue + 1)
    expect(marks(inbox)).toEqual(['1'])
  })

  test('and then ends makes every message that waits fail', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const waiting = [mark(inbox, 1), mark(inbox, 2)]
    inbox.receiver.close()
    for (const each of await Promise.allSettled(waiting)) {
      expect(each).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_NOTIFY_SEND_FAILED', cause: { code: 'ECONNREFUSED' } },
      })
    }
  })
})

test('a signal that has fired already: nothing is sent', async () => {
  const inbox = new Inbox()
  const signal = AbortSignal.abort()
  await expect(notify({ ready: true }, { env: inbox.env, signal })).rejects.toThrow('aborted')
  await notify({ watchdog: true }, { env: inbox.env })
  await inbox.until(1)
  expect(inbox.said).toEqual([{ watchdog: true }])
})

function mark(inbox: Inbox, index: number): Promise<boolean> {
  return notify({ extra: { X_MARK: String(index) } }, { env: inbox.env })
}

function marks(inbox: Inbox): (string | undefined)[] {
  return inbox.notifications
    .map(({ assignments }) => assignments.extra?.['X_MARK'])
    .filter((value) => value !== undefined)
}
