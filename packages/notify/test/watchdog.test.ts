import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import { barrier, notify, watchdog, watchdogInterval } from '../src/index.js'
import { Inbox } from './inbox.js'
import { Program } from './program.js'

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

describe('healthy()', () => {
  test('is asked before each ping, and only true lets it out', async () => {
    const inbox = new Inbox()
    const answers: unknown[] = [true, Promise.resolve(true), false, 1, Promise.resolve(false), true]
    const reasons: string[] = []
    const running = watchdog({
      env: { ...inbox.env, WATCHDOG_USEC: '20000' },
      healthy: () => (answers.length > 0 ? answers.shift() : true) as boolean,
      onUnhealthy: ({ message }) => reasons.push(message),
    })
    await inbox.until(4)
    running.stop()
    expect(reasons).toEqual(['healthy() said false', 'healthy() said 1', 'healthy() said false'])
  })

  test('that throws or is rejected holds the ping back', async () => {
    const inbox = new Inbox()
    const causes: unknown[] = []
    let round = 0
    const running = watchdog({
      env: { ...inbox.env, WATCHDOG_USEC: '20000' },
      healthy: () => {
        round++
        if (round === 1) throw new Error('thrown')
        return round === 2 ? Promise.reject(new Error('rejected')) : true
      },
      onUnhealthy: ({ cause }) => causes.push((cause as Error).message),
    })
    await inbox.until(1)
    running.stop()
    expect(causes).toEqual(['thrown', 'rejected'])
  })

  test('that answers too late holds the ping back, and is not asked again meanwhile', async () => {
    const inbox = new Inbox()
    const reasons: string[] = []
    const answers: ((healthy: boolean) => void)[] = []
    const running = watchdog({
      env: { ...inbox.env, WATCHDOG_USEC: '40000' },
      healthy: () => new Promise((resolve) => answers.push(resolve)),
      onUnhealthy: ({ message }) => reasons.push(message),
    })
    while (reasons.length < 3) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(answers).toHaveLength(1)
    expect(reasons[0]).toBe('healthy() has not answered within 10 ms')
    expect(reasons[1]).toBe('healthy() has not answered the question before this one')
    // Too late for its own question, but the next one is asked.
    answers[0]!(true)
    while (answers.length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(inbox.said).toEqual([])
    answers[1]!(true)
    await inbox.until(1)
    running.stop()
  })

  test('and an onUnhealthy that throws: it is an uncaught exception, and the pings go on', async () => {
    const inbox = new Inbox()
    const source = `
      import { watchdog } from '@sdbridge/notify'
      process.on('uncaughtException', ({ message }) => console.log(message))
      const answers = [false, Promise.resolve(false)]
      const running = watchdog({
        healthy: () => answers.shift() ?? true,
        onUnhealthy: ({ message }) => { throw new Error(message) },
      })
      console.log(running.intervalMs)
      setTimeout(() => {}, 60_000)`
    const program = new Program(source, { ...inbox.env, WATCHDOG_USEC: '20000' })
    await inbox.until(2)
    expect(program.stdout).toBe('10\nhealthy() said false\nhealthy() said false\n')
    expect(program.stderr).toBe('')
  })

  test('may have the manager act at once', async () => {
    const inbox = new Inbox()
    const env = { ...inbox.env, WATCHDOG_USEC: '3600000000' }
    const running = watchdog({ env, healthy: () => false, whenUnhealthy: 'trigger' })
    await inbox.until(1)
    running.stop()
    expect(inbox.said).toEqual([{ watchdog: 'trigger' }])
  })

  test('that answers after stop() leads to nothing', async () => {
    const inbox = new Inbox()
    const env = { ...inbox.env, WATCHDOG_USEC: '3600000000' }
    let answer: ((healthy: boolean) => void) | undefined
    const healthy = (): Promise<boolean> => new Promise((resolve) => (answer = resolve))
    const running = watchdog({ env, healthy, onUnhealthy: () => expect.unreachable() })
    running.stop()
    answer!(true)
    expect(await barrier({ env })).toBe('passed')
    expect(inbox.said).toEqual([])
  })
})

describe('notify({ watchdogUsec })', () => {
  test('changes the interval of the pings that run, and of watchdogInterval()', async () => {
    const inbox = new Inbox()
    const env: NodeJS.ProcessEnv = { ...inbox.env, WATCHDOG_USEC: '3600000000' }
    const running = watchdog({ env })
    expect(running.intervalMs).toBe(1_800_000)
    await notify({ watchdogUsec: 20_000 }, { env })
    expect(running.intervalMs).toBe(10)
    expect(watchdogInterval({ env })).toBe(20)
    await inbox.until(5)
    expect(inbox.said.slice(0, 3)).toEqual([
      { watchdog: true },
      { watchdogUsec: 20_000n },
      { watchdog: true },
    ])
    running.stop()
    await notify({ watchdogUsec: 30_000 }, { env })
    expect(running.intervalMs).toBeUndefined()
  })

  test.each([0, 'infinity', 2n ** 64n - 1n] as const)(
    '%s turns them off, and on again',
    async (off) => {
      const inbox = new Inbox()
      const env: NodeJS.ProcessEnv = { ...inbox.env, WATCHDOG_USEC: '10000' }
      const running = watchdog({ env })
      await notify({ watchdogUsec: off }, { env })
      expect(running.intervalMs).toBeUndefined()
      expect(watchdogInterval({ env })).toBeUndefined()
      expect(await barrier({ env })).toBe('passed')
      const count = inbox.said.length
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(inbox.said).toHaveLength(count)
      await notify({ watchdogUsec: 10_000 }, { env })
      await inbox.until(count + 3)
      running.stop()
    },
  )

  test('starts what was off, but not for another process', async () => {
    const inbox = new Inbox()
    const env: NodeJS.ProcessEnv = { ...inbox.env }
    const others: NodeJS.ProcessEnv = { ...inbox.env, WATCHDOG_PID: '1' }
    const running = [watchdog({ env }), watchdog({ env: others })]
    await notify({ watchdogUsec: 20_000 }, { env })
    await notify({ watchdogUsec: 20_000 }, { env: others })
    expect(running.map(({ intervalMs }) => intervalMs)).toEqual([10, undefined])
    for (const each of running) each.stop()
  })

  test('that could not be sent changes nothing', async () => {
    const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '4000000' }
    await notify({ watchdogUsec: 20_000 }, { env }).catch(() => {})
    expect(watchdogInterval({ env })).toBe(4000)
  })
})

describe('watchdog', () => {
  test('does nothing where the manager does not watch', () => {
    expect(watchdog({ env: {} }).intervalMs).toBeUndefined()
  })

  test('pings at once, however long the interval is', async () => {
    const inbox = new Inbox()
    const { stop } = watchdog({ env: { ...inbox.env, WATCHDOG_USEC: '3600000000' } })
    await inbox.until(1)
    stop()
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
