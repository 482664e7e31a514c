import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import { watchdog, watchdogInterval } from '../src/index.js'
import { Inbox } from './inbox.js'

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url))

describe('watchdogInterval', () => {
  test.each([
    ['there is no watchdog', {}, undefined],
    ['3 seconds', { WATCHDOG_USEC: '3000000' }, 3000],
    ['half a millisecond', { WATCHDOG_USEC: '500' }, 0.5],
    ['it is meant for us', { WATCHDOG_USEC: '2000', WATCHDOG_PID: String(process.pid) }, 2],
    ['it is meant for somebody else', { WATCHDOG_USEC: '2000', WATCHDOG_PID: '1' }, undefined],
    ['it is infinite', { WATCHDOG_USEC: '18446744073709551615' }, undefined],
  ])('%s', (_situation, env, expected) => {
    expect(watchdogInterval({ env })).toBe(expected)
  })

  test.each([
    [{ WATCHDOG_USEC: 'soon' }, 'WATCHDOG_USEC', 'soon'],
    [{ WATCHDOG_USEC: '' }, 'WATCHDOG_USEC', ''],
    [{ WATCHDOG_USEC: '0' }, 'WATCHDOG_USEC', '0'],
    [{ WATCHDOG_USEC: '-5' }, 'WATCHDOG_USEC', '-5'],
    [{ WATCHDOG_USEC: '2000', WATCHDOG_PID: 'me' }, 'WATCHDOG_PID', 'me'],
  ])('%j is refused with the variable and its value', (env, assignment, value) => {
    expect(() => watchdogInterval({ env })).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_WATCHDOG_ENVIRONMENT', assignment, value }),
    )
  })
})

describe('watchdog', () => {
  test('does nothing where the manager does not watch', () => {
    expect(watchdog({ env: {} }).intervalMs).toBeUndefined()
  })

  test('pings at once, however long the interval is', async () => {
    const inbox = new Inbox()
    const running = watchdog({ env: { ...inbox.env, WATCHDOG_USEC: '3600000000' } })
    await inbox.until(1)
    running.stop()
    expect(inbox.said).toEqual([{ watchdog: true }])
  })

  test('pings at once and then at half the interval, until stopped', async () => {
    const inbox = new Inbox()
    const running = watchdog({ env: { ...inbox.env, WATCHDOG_USEC: '40000' } })
    expect(running.intervalMs).toBe(20)
    await inbox.until(4)
    running.stop()
    const count = inbox.said.length
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(inbox.said).toEqual(Array.from({ length: count }, () => ({ watchdog: true })))
  })

  test('ends with its signal', async () => {
    const inbox = new Inbox()
    const controller = new AbortController()
    const env = { ...inbox.env, WATCHDOG_USEC: '10000' }
    watchdog({ env, signal: controller.signal })
    await inbox.until(1)
    controller.abort()
    await new Promise((resolve) => setTimeout(resolve, 30))
    const count = inbox.said.length
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(inbox.said).toHaveLength(count)
  })

  test('tells that a ping could not be sent, and goes on', async () => {
    const errors: unknown[] = []
    const env = { NOTIFY_SOCKET: '@sdbridge-nobody-has-this', WATCHDOG_USEC: '4000' }
    const running = watchdog({ env, onError: (error) => errors.push(error) })
    while (errors.length < 3) await new Promise((resolve) => setTimeout(resolve, 1))
    running.stop()
    expect(errors[0]).toMatchObject({ code: 'ERR_NOTIFY_SEND_FAILED' })
  })

  test('is silent while the event loop is blocked, and back when it is not', async () => {
    const inbox = new Inbox()
    const child = service({ ...inbox.env, WATCHDOG_USEC: '20000' })
    await inbox.until(3)
    child.send('block')
    await once(child, 'message') // It is about to block.
    await new Promise((resolve) => setTimeout(resolve, 50))
    const count = inbox.said.length
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(inbox.said).toHaveLength(count)
    await inbox.until(count + 3)
  })

  test('does not keep the process alive', async () => {
    const inbox = new Inbox()
    const child = service({ ...inbox.env, WATCHDOG_USEC: '20000' })
    await inbox.until(1)
    child.disconnect()
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('refuses to run in a Worker', async () => {
    const worker = new Worker(join(FIXTURES, 'watchdog-in-worker.mjs'))
    expect(await once(worker, 'message')).toEqual(['ERR_NOTIFY_MAIN_THREAD_ONLY'])
  })
})

function service(env: object): ChildProcess {
  const child = spawn(process.execPath, [join(FIXTURES, 'watched.mjs')], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}
