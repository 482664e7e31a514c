import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, closeSync, fstatSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { notify, ready, reloading, status, stopping } from '../src/index.js'
import { isRoot } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { Inbox } from './inbox.js'

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url))

describe('without a service manager', () => {
  test('the answer is false', async () => {
    expect(await notify({ ready: true }, { env: {} })).toBe(false)
    expect(await ready('up', { env: {} })).toBe(false)
  })

  test('a mistake in the program is found all the same', async () => {
    // @ts-expect-error: a misspelt property
    await expect(notify({ redy: true }, { env: {} })).rejects.toThrow(TypeError)
  })

  test('the addon is not even loaded', async () => {
    for (const message of ['{"ready":true}', '{"reloading":true}']) {
      const { stdout } = await run('send.mjs', [message], {})
      expect(JSON.parse(stdout)).toEqual({ sent: false, addonLoaded: false })
    }
  })
})

describe('the address', () => {
  test('is a path', async () => {
    const inbox = new Inbox(join(temporaryDirectory(), 'notify'))
    expect(await notify({ ready: true, status: 'up' }, { env: inbox.env })).toBe(true)
    await inbox.until(1)
    expect(inbox.said).toEqual([{ ready: true, status: 'up' }])
    expect(inbox.notifications[0]!.sender).toEqual({
      pid: process.pid,
      uid: process.getuid!(),
      gid: process.getgid!(),
    })
  })

  test('is abstract', async () => {
    const inbox = new Inbox(`@sdbridge-test-${process.pid}`)
    await notify({ ready: true }, { env: inbox.env })
    await inbox.until(1)
    expect(inbox.said).toEqual([{ ready: true }])
  })

  test('is a path that is too long for a sockaddr_un', async () => {
    const directory = join(temporaryDirectory(), 'd'.repeat(120))
    mkdirSync(directory)
    const inbox = new Inbox(join(directory, 'notify'))
    await notify({ ready: true }, { env: inbox.env })
    await inbox.until(1)
    expect(inbox.said).toEqual([{ ready: true }])
  })

  test.each([
    ['', 'ERR_NOTIFY_INVALID_ADDRESS'],
    ['relative/path', 'ERR_NOTIFY_INVALID_ADDRESS'],
    ['/nonexistent/notify', 'ERR_NOTIFY_SEND_FAILED'],
  ])('is set to %j, which cannot be used: an error that names it', async (value, code) => {
    const error = await notify({ ready: true }, { env: { NOTIFY_SOCKET: value } }).catch(String)
    expect(error).toContain(`'${value}'`)
    await expect(notify({ ready: true }, { env: { NOTIFY_SOCKET: value } })).rejects.toMatchObject({
      code,
      address: value,
    })
  })

  test('is a path where nothing is: the system call and the reason are told', async () => {
    const env = { NOTIFY_SOCKET: '/nonexistent/notify' }
    await expect(notify({ ready: true }, { env })).rejects.toThrow(
      /connect .*ENOENT|ENOENT.*connect/,
    )
  })

  test('is an abstract name that nobody has', async () => {
    const env = { NOTIFY_SOCKET: '@sdbridge-nobody-has-this' }
    await expect(notify({ ready: true }, { env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_SEND_FAILED',
      cause: { code: 'ECONNREFUSED', address: env.NOTIFY_SOCKET },
    })
  })

  test.runIf(isRoot())('may not be written to by this user', () => {
    const path = join(temporaryDirectory(), 'notify')
    const inbox = new Inbox(path)
    chmodSync(join(path, '..'), 0o755)
    const child = spawnSync(process.execPath, [join(FIXTURES, 'send.mjs'), '{"ready":true}'], {
      env: { NOTIFY_SOCKET: path, TEST_IDS: '65534:65534' },
      encoding: 'utf8',
    })
    expect(child.stderr).toContain('EACCES')
    expect(inbox.said).toEqual([])
  })

  test('has a new receiver since the last message: it gets the next one', async () => {
    const path = join(temporaryDirectory(), 'notify')
    const first = new Inbox(path)
    await status('one', { env: first.env })
    await first.until(1)
    first.receiver.close()
    await expect(status('nobody', { env: first.env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_SEND_FAILED',
    })
    const second = new Inbox(path)
    await status('two', { env: second.env })
    await second.until(1)
    expect(second.said).toEqual([{ status: 'two' }])
  })
})

test('a ping that says more than a ping says it all', async () => {
  const inbox = new Inbox()
  await notify({ watchdog: true, status: 'alive' }, { env: inbox.env })
  await inbox.until(1)
  expect(inbox.said).toEqual([{ watchdog: true, status: 'alive' }])
})

describe('a manager that is not there, or comes anew', () => {
  test('keeps a socket only while it is one of the latest', async () => {
    const before = readdirSync('/proc/self/fd').length
    const inboxes = Array.from({ length: 40 }, () => new Inbox())
    const withInboxes = readdirSync('/proc/self/fd').length
    for (const { env } of inboxes) await notify({ ready: true }, { env })
    expect(readdirSync('/proc/self/fd').length - withInboxes).toBeLessThanOrEqual(20)
    expect(withInboxes).toBeGreaterThan(before)
  })

  test('costs no descriptor', async () => {
    const path = join(temporaryDirectory(), 'notify')
    const env = { NOTIFY_SOCKET: path }
    const round = async (): Promise<number> => {
      await expect(notify({ ready: true }, { env })).rejects.toThrow('ENOENT')
      const inbox = new Inbox(path)
      await notify({ ready: true }, { env })
      await inbox.until(1)
      inbox.receiver.close()
      await expect(notify({ ready: true }, { env })).rejects.toThrow(/ENOENT|ECONNREFUSED/)
      return readdirSync('/proc/self/fd').length
    }
    const first = await round()
    for (let count = 0; count < 5; count++) expect(await round()).toBeLessThanOrEqual(first)
  })
})

describe('the verbs', () => {
  test('say what their names say', async () => {
    const inbox = new Inbox()
    const options = { env: inbox.env }
    const before = process.hrtime.bigint() / 1000n
    await ready(undefined, options)
    await ready('serving', options)
    await status('busy', options)
    await reloading(options)
    await stopping('bye', options)
    await inbox.until(5)
    const monotonicUsec = inbox.notifications[3]!.assignments.monotonicUsec!
    expect(inbox.said).toEqual([
      { ready: true },
      { ready: true, status: 'serving' },
      { status: 'busy' },
      { reloading: true, monotonicUsec },
      { stopping: true, status: 'bye' },
    ])
    expect(monotonicUsec).toBeGreaterThanOrEqual(before)
    expect(monotonicUsec).toBeLessThanOrEqual(process.hrtime.bigint() / 1000n)
  })

  test('a time of the reload that was given is kept', async () => {
    const inbox = new Inbox()
    await notify({ reloading: true, monotonicUsec: 5n }, { env: inbox.env })
    await inbox.until(1)
    expect(inbox.said).toEqual([{ reloading: true, monotonicUsec: 5n }])
  })
})

describe('descriptors', () => {
  test('go along, and stay open here', async () => {
    const inbox = new Inbox()
    const fd = openSync(FIXTURES, 'r')
    await notify({ fdStore: true, fdName: 'here' }, { env: inbox.env, fds: [fd] })
    await inbox.until(1)
    expect(inbox.said).toEqual([{ fdStore: true, fdName: 'here' }])
    expect(inbox.fds).toHaveLength(1)
    expect(fstatSync(inbox.fds[0]!).ino).toBe(fstatSync(fd).ino)
    for (const each of [fd, ...inbox.fds]) closeSync(each)
  })
})

describe('the end of the process', () => {
  test('right after the call loses nothing', async () => {
    const inbox = new Inbox()
    await run('send-and-exit.mjs', [], inbox.env)
    await inbox.until(1)
    expect(inbox.said).toEqual([{ stopping: true, status: 'exiting' }])
  })

  test('is not held up by the socket', async () => {
    const inbox = new Inbox()
    const { stdout } = await run('send.mjs', ['{"ready":true}'], inbox.env)
    expect(JSON.parse(stdout)).toEqual({ sent: true, addonLoaded: true })
  })
})

function run(fixture: string, args: string[], env: object): Promise<{ stdout: string }> {
  return promisify(execFile)(process.execPath, [join(FIXTURES, fixture), ...args], {
    env: { PATH: process.env['PATH'], ...env },
    timeout: 20_000,
  })
}
