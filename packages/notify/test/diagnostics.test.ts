import { afterEach, describe, expect, test } from 'vitest'
import { sendFailure } from '../src/send-failure.js'
import { warnOnce } from '../src/warn-once.js'
import { Inbox } from './inbox.js'
import { Program } from './program.js'

describe('DEBUG=sdbridge:*', () => {
  test('tells each message, its size and what became of it', async () => {
    const inbox = new Inbox()
    const source = `
      import { barrier, notify, ready } from '@sdbridge/notify'
      await ready('Grüße')
      await notify({ fdStore: true }, { fds: [0] })
      await barrier()`
    const program = new Program(source, { ...inbox.env, DEBUG: 'sdbridge:*' })
    const address = inbox.receiver.address
    expect(await program.ended).toMatchObject({ code: 0 })
    const lines = program.stderr
      .split('\n')
      .map((line) => line.replace(/^.*(?=sdbridge:)/, ''))
      .filter((line) => line.startsWith('sdbridge:notify '))
    expect(lines).toEqual([
      `sdbridge:notify sent: 22 bytes to ${address}: READY=1 STATUS=Grüße`,
      `sdbridge:notify sent: 9 bytes, 1 descriptor(s) to ${address}: FDSTORE=1`,
      `sdbridge:notify sent: 9 bytes, 1 descriptor(s) to ${address}: BARRIER=1`,
    ])
  })

  test('tells what waits, is left out, given up, refused and has failed', async () => {
    const inbox = new Inbox()
    inbox.receiver.pause()
    const source = `
      import { notify, status } from '@sdbridge/notify'
      const kept = []
      for (let index = 0; index < 1600; index++) kept.push(notify({ extra: { X_FILL: '1' } }).catch(() => {}))
      const abort = new AbortController()
      const ready = notify({ ready: true }, { signal: abort.signal })
      abort.abort()
      await ready.catch(() => {})
      const first = notify({ stopping: true }), second = notify({ stopping: true })
      void status('one').catch(() => {}), status('two').catch(() => {})
      await notify({ ready: true }, { env: { NOTIFY_SOCKET: '/nowhere' } }).catch(() => {})
      console.log('done')
      await Promise.all([...kept, first, second])`
    const program = new Program(source, { ...inbox.env, DEBUG: 'sdbridge:notify' })
    await program.prints('done')
    inbox.receiver.resume()
    await program.ended
    for (const outcome of [
      /waits: 8 bytes to @\w+: X_FILL=1/,
      /is refused, as too many wait: 8 bytes to @\w+: X_FILL=1/,
      /is given up: 7 bytes to @\w+: READY=1/,
      /failed \(ENOENT: .*\): 7 bytes to \/nowhere: READY=1/,
    ]) {
      expect(program.stderr).toMatch(outcome)
    }
  })

  test('is silent without it', async () => {
    const inbox = new Inbox()
    const source = "import { ready } from '@sdbridge/notify'; await ready()"
    const program = new Program(source, inbox.env)
    await program.ended
    expect(program.stderr).toBe('')
  })
})

describe('a service whose messages cannot be sent', () => {
  test('ends with one clear error, that names the reason and the remedy', async () => {
    const source = "import { ready } from '@sdbridge/notify'; await ready()"
    const program = new Program(source, { NOTIFY_SOCKET: '/nowhere/notify' })
    expect(await program.ended).toEqual({ code: 1, signal: null })
    expect(program.stderr).toMatch(
      /NotifyError: NOTIFY_SOCKET is '\/nowhere\/notify', but READY=1 could not be sent there: ENOENT.*must be mounted/,
    )
  })

  test('hears of it by a warning where nobody waits, and once', async () => {
    const source = `
      import { watchdog } from '@sdbridge/notify'
      watchdog()
      setTimeout(() => {}, 300)`
    const env = { NOTIFY_SOCKET: '@sdbridge-nobody-has-this', WATCHDOG_USEC: '20000' }
    const program = new Program(source, env)
    await program.ended
    expect(program.stderr.match(/NOTIFY_WATCHDOG/g)).toHaveLength(1)
    expect(program.stderr).toMatch(/will end this service: .*ECONNREFUSED.*network namespace/)
  })

  test.each([
    ['ENOENT', /mounted/],
    ['EACCES', /AppArmor or SELinux/],
    ['EPERM', /SO_PASSRIGHTS/],
    ['EPROTOTYPE', /datagram/],
    ['EAFNOSUPPORT', /RestrictAddressFamilies=/],
    ['EMFILE', /LimitNOFILE=/],
    ['ERR_SYSCALLS_UNAVAILABLE', /systemd-notify/],
  ])('%s has a remedy', (code, remedy) => {
    const cause = Object.assign(new Error(`${code}: reason`), { code })
    const failure = sendFailure('/run/notify', 'READY=1', cause)
    expect(failure).toMatchObject({ code: 'ERR_NOTIFY_SEND_FAILED', cause, address: '/run/notify' })
    expect(failure.message).toMatch(remedy)
  })

  test('an unknown reason is told as it is', () => {
    expect(sendFailure('/x', 'READY=1', 'odd').message).toMatch(/could not be sent there: odd$/)
  })
})

describe('a warning', () => {
  const heard: Error[] = []
  const listener = (warning: Error): number => heard.push(warning)
  afterEach(() => void process.off('warning', listener))

  test('is given once for each text', async () => {
    process.on('warning', listener)
    for (const text of ['one', 'one', 'two']) warnOnce('NOTIFY_TEST', text)
    await new Promise((resolve) => setImmediate(resolve))
    expect(heard).toMatchObject([
      { name: 'NotifyWarning', code: 'NOTIFY_TEST', message: 'one' },
      { name: 'NotifyWarning', code: 'NOTIFY_TEST', message: 'two' },
    ])
  })
})
