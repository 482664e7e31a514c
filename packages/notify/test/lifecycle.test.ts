import { describe, expect, test } from 'vitest'
import { makeBusy } from './busy-manager.js'
import { Inbox } from './inbox.js'
import { Program } from './program.js'

const EXTENDS = { extendTimeoutUsec: 10_000_000n }
const STOPPING = { stopping: true, ...EXTENDS }
const STAMP = { reloading: true, monotonicUsec: expect.any(BigInt) as bigint }

describe('the lifecycle of a service', () => {
  test('start, two reloads and a stop: what is said, and the exit code', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `let reloads = 0
      const server = createServer()
      await lifecycle({
        async start() {
          await once(server.listen(0), 'listening')
          return 'serving'
        },
        reload: () => { if (++reloads === 2) return 'twice' },
        async stop(signal) { console.log(signal); server.close(); return 7 },
      })`,
    )
    await inbox.until(1)
    await reload(inbox, program, 3)
    await reload(inbox, program, 5)
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 7, signal: null })
    await inbox.until(7)
    expect(inbox.said).toEqual([
      { ready: true, status: 'serving' },
      STAMP,
      { ready: true },
      STAMP,
      { ready: true, status: 'twice' },
      STOPPING,
      { exitStatus: 7 },
    ])
    expect(program.stdout).toBe('SIGTERM\n')
    expect(program.stderr).toBe('')
  })

  test('without handlers: SIGINT ends it well', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      'const timer = setInterval(() => {}, 1000); const { stopped } = await lifecycle({}); stopped.then(() => clearInterval(timer))',
    )
    await inbox.until(1)
    program.child.kill('SIGINT')
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(inbox.said).toEqual([{ ready: true }, STOPPING, { exitStatus: 0 }])
  })

  test('without a handler a reload succeeds at once; without a manager either, SIGHUP ends it', async () => {
    const inbox = new Inbox()
    const source = 'setInterval(() => {}, 1000); await lifecycle({}); console.log("started")'
    const program = service(inbox, source)
    await program.prints('started')
    await reload(inbox, program, 3)
    expect(inbox.said).toEqual([{ ready: true }, STAMP, { ready: true }])
    const alone = new Program(`${IMPORTS}\n${source}`, {})
    await alone.prints('started')
    alone.child.kill('SIGHUP')
    expect(await alone.ended).toEqual({ code: null, signal: 'SIGHUP' })
  })

  test('without a service manager it does the same and says nothing', async () => {
    const program = new Program(
      `${IMPORTS}
      const timer = setInterval(() => {}, 1000)
      await lifecycle({ reload: () => console.log('reload'), stop: () => { console.log('stop'); clearInterval(timer) } })
      console.log('started')`,
      {},
    )
    await program.prints('started')
    program.child.kill('SIGHUP')
    await program.prints('reload')
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stderr).toBe('')
  })

  test('a reload that fails is over, too, and its error is the status until the next one', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `let reloads = 0
      const timer = setInterval(() => {}, 1000)
      await lifecycle({
        reload() { if (++reloads === 1) throw new Error('no such file') },
        onError: (error) => console.log(error.message),
      })`,
    )
    await inbox.until(1)
    await reload(inbox, program, 3)
    await reload(inbox, program, 5)
    await reload(inbox, program, 7)
    expect(inbox.said.filter((said) => 'ready' in (said as object))).toEqual([
      { ready: true },
      { ready: true, status: 'Reload failed: no such file' },
      { ready: true, status: '' },
      { ready: true },
    ])
    expect(program.stdout).toBe('no such file\n')
  })

  test('SIGHUP during a reload leads to one more, however many there are', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      let release
      process.on('SIGUSR1', () => release())
      await lifecycle({ reload: () => { console.log('reloading'); return new Promise((resolve) => (release = resolve)) } })`,
    )
    await inbox.until(1)
    program.child.kill('SIGHUP')
    await program.prints('reloading\n')
    for (let count = 0; count < 3; count++) {
      program.child.kill('SIGHUP')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    program.child.kill('SIGUSR1')
    await program.prints('reloading\nreloading\n')
    program.child.kill('SIGUSR1')
    await inbox.until(5)
    expect(inbox.said).toEqual([{ ready: true }, STAMP, { ready: true }, STAMP, { ready: true }])
    await reloadAgain(inbox, program)
  })

  test('SIGHUP during the start: the reload follows', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      await lifecycle({ start: () => { console.log('starting'); return once(process, 'SIGUSR1') }, reload: () => 'reloaded' })`,
    )
    await program.prints('starting')
    program.child.kill('SIGHUP')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(inbox.said).toEqual([])
    program.child.kill('SIGUSR1')
    await inbox.until(3)
    expect(inbox.said).toEqual([{ ready: true }, STAMP, { ready: true, status: 'reloaded' }])
  })

  test('SIGHUP during a start that fails: nothing is reloaded, and READY=1 is not said', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setTimeout(() => {}, 60_000)
      process.once('SIGUSR2', () => clearTimeout(timer))
      const error = await lifecycle({
        async start() { console.log('starting'); await once(process, 'SIGUSR1'); throw new Error('too bad') },
        reload: () => console.log('reloading'),
      }).catch((reason) => reason)
      const left = ['SIGHUP', 'SIGTERM', 'SIGINT'].filter((signal) => process.listenerCount(signal) > 0)
      console.log(error.message, left.length)`,
    )
    await program.prints('starting')
    program.child.kill('SIGHUP')
    await new Promise((resolve) => setTimeout(resolve, 50))
    program.child.kill('SIGUSR1')
    await program.prints('too bad')
    program.child.kill('SIGUSR2')
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stdout).toBe('starting\ntoo bad 0\n')
    expect(inbox.said).toEqual([{ status: 'Start failed: too bad' }])
  })

  test('a stop while READY=1 waits for a busy manager: no ping follows STOPPING=1', async () => {
    const inbox = new Inbox()
    const kernelQueue = await makeBusy(inbox)
    const program = new Program(
      `${IMPORTS}
      const timer = setInterval(() => {}, 1000)
      process.once('SIGTERM', () => console.log('SIGTERM'))
      await lifecycle({
        start: () => console.log('starting'),
        stop: () => new Promise((resolve) => setTimeout(() => { clearInterval(timer); resolve() }, 100)),
      })
      console.log('stopped', process.exitCode)`,
      { ...inbox.env, WATCHDOG_USEC: '20000' },
    )
    await program.prints('starting')
    program.child.kill('SIGTERM')
    await program.prints('SIGTERM')
    inbox.receiver.resume()
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stdout).toContain('stopped 0')
    expect(inbox.said.slice(kernelQueue)).toEqual([STOPPING, { exitStatus: 0 }])
  })

  test('a start that does not care for its signal, and a stop meanwhile: READY=1 is not said', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      await lifecycle({
        start: async () => { console.log('starting'); await once(process, 'SIGUSR1'); console.log('started') },
        stop: () => { console.log('stop'); clearInterval(timer) },
      })`,
    )
    await program.prints('starting')
    program.child.kill('SIGTERM')
    await inbox.until(1)
    program.child.kill('SIGUSR1')
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stdout).toBe('starting\nstarted\nstop\n')
    expect(inbox.said).toEqual([STOPPING, { exitStatus: 0 }])
  })

  test('the signal of a start that has ended is left alone by a stop', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      await lifecycle({
        start: (signal) => signal.addEventListener('abort', () => console.log('aborted')),
        stop: () => clearInterval(timer),
      })`,
    )
    await inbox.until(1)
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stdout).toBe('')
  })

  test('a watchdog interval that is no number is found before the start', async () => {
    const inbox = new Inbox()
    const program = new Program(
      `${IMPORTS}
      await lifecycle({ start: () => console.log('starting') }).catch(({ code }) => console.log(code))`,
      { ...inbox.env, WATCHDOG_USEC: 'soon' },
    )
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stdout).toBe('ERR_NOTIFY_WATCHDOG_ENVIRONMENT\n')
    expect(inbox.said).toEqual([])
  })

  test.each([
    ['the server that it closed', 'server.close()', 0],
    ['half a code', '(server.close(), 0.5)', 1],
  ])('a stop that returns %s', async (_what, returned, code) => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const server = createServer().listen(0)
      const { stopped } = await lifecycle({ stop: () => ${returned} })
      console.log(await stopped)`,
    )
    await inbox.until(1)
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code, signal: null })
    expect(program.stdout).toBe(`${code}\n`)
    expect(inbox.said.at(-1)).toMatchObject({ exitStatus: code })
  })

  test('what onError and exit throw is an uncaught exception, and keeps no state from being said', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `process.on('uncaughtException', ({ message }) => console.log(message))
      const timer = setInterval(() => {}, 1000)
      const { stopped } = await lifecycle({
        reload() { throw new Error('no such file') },
        stop() { clearInterval(timer); throw new Error('could not save') },
        onError({ message }) { throw new Error('heard: ' + message) },
        exit(code) { throw new Error('exit ' + code) },
      })
      console.log('stopped', await stopped)`,
    )
    await inbox.until(1)
    await reload(inbox, program, 3)
    program.child.kill('SIGTERM')
    await program.ended
    expect(program.stdout.split('\n').toSorted()).toEqual([
      '',
      'exit 1',
      'heard: could not save',
      'heard: no such file',
      'stopped 1',
    ])
    expect(inbox.said).toEqual([
      { ready: true },
      STAMP,
      { ready: true, status: 'Reload failed: no such file' },
      STOPPING,
      { status: 'Stopping failed: could not save', exitStatus: 1 },
    ])
  })

  test('a stop during a reload: the reload is not said to be over', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      await lifecycle({
        reload: () => new Promise((resolve) => setTimeout(resolve, 200)),
        stop: () => new Promise((resolve) => setTimeout(() => { clearInterval(timer); resolve() }, 400)),
      })`,
    )
    await inbox.until(1)
    program.child.kill('SIGHUP')
    await inbox.until(2)
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(inbox.said).toEqual([{ ready: true }, STAMP, STOPPING, { exitStatus: 0 }])
  })

  test('a stop during the start aborts it, and stop() is called when it has ended', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      const { stopped } = await lifecycle({
        start: (signal) => new Promise((resolve, reject) => {
          console.log('starting')
          signal.addEventListener('abort', () => { console.log('aborted'); reject(signal.reason) })
        }),
        stop: () => { console.log('stop'); clearInterval(timer) },
      })
      console.log(await stopped)`,
    )
    await program.prints('starting')
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stdout).toBe('starting\naborted\nstop\n0\n')
    expect(inbox.said).toEqual([STOPPING, { exitStatus: 0 }])
  })

  test('a start that fails is told, and thrown', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      "await lifecycle({ start() { throw Object.assign(new Error('the port is taken'), { code: 'EADDRINUSE' }) } })",
    )
    expect(await program.ended).toEqual({ code: 1, signal: null })
    expect(program.stderr).toContain('Error: the port is taken')
    expect(inbox.said).toEqual([{ status: 'Start failed: the port is taken', errno: 98 }])
  })

  test('a READY=1 that cannot be sent is thrown', async () => {
    const program = new Program(`${IMPORTS}\nawait lifecycle({})`, { NOTIFY_SOCKET: '/nowhere' })
    expect(await program.ended).toEqual({ code: 1, signal: null })
    expect(program.stderr).toMatch(/NotifyError: NOTIFY_SOCKET is '\/nowhere'.*ENOENT/)
    expect(program.stderr).not.toContain('NotifyWarning')
  })

  test('a stop that fails is told, and the exit code is 1', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      await lifecycle({ stop() { clearInterval(timer); throw new Error('could not save') } })`,
    )
    await inbox.until(1)
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 1, signal: null })
    expect(program.stderr).toMatch(/NOTIFY_LIFECYCLE.*could not save/)
    expect(inbox.said.slice(1)).toEqual([
      STOPPING,
      { status: 'Stopping failed: could not save', exitStatus: 1 },
    ])
  })

  test('exit: process.exit ends it whatever is open', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      'setInterval(() => {}, 1000); await lifecycle({ stop: () => 3, exit: process.exit })',
    )
    await inbox.until(1)
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 3, signal: null })
    expect(inbox.said.at(-1)).toEqual({ exitStatus: 3 })
  })

  test('more time is asked for while it stops, up to the limit', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      await lifecycle({
        stopTimeoutMs: 6000,
        stop: () => once(process, 'SIGUSR1').then(() => clearInterval(timer)),
      })`,
    )
    await inbox.until(1)
    program.child.kill('SIGTERM')
    await inbox.until(3)
    program.child.kill('SIGUSR1')
    await program.ended
    const [first, second] = inbox.notifications
      .map(({ assignments }) => assignments.extendTimeoutUsec)
      .filter((usec) => usec !== undefined)
    expect(first).toBeGreaterThan(5_900_000n)
    expect(first).toBeLessThanOrEqual(6_000_000n)
    expect(second).toBeLessThan(2_000_000n)
  })

  test('SIGTERM that comes again does not end it before its time; SIGINT that comes again does', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `setInterval(() => {}, 1000)
      await lifecycle({ stop: () => { console.log('stop'); return new Promise(() => {}) } })`,
    )
    await inbox.until(1)
    program.child.kill('SIGINT')
    await program.prints('stop')
    program.child.kill('SIGINT')
    program.child.kill('SIGTERM')
    await new Promise((resolve) => setTimeout(resolve, 1100))
    // The code alone is null for a process that a signal has ended, too.
    expect([program.child.exitCode, program.child.signalCode]).toEqual([null, null])
    program.child.kill('SIGINT')
    expect(await program.ended).toEqual({ code: null, signal: 'SIGINT' })
    expect(program.stdout).toBe('stop\n')
  })

  test('the watchdog is kept content from READY=1 to STOPPING=1, while the service is healthy', async () => {
    const inbox = new Inbox()
    const program = new Program(
      `${IMPORTS}
      const timer = setInterval(() => {}, 1000)
      let healthy = true
      process.on('SIGUSR1', () => { healthy = false; console.log('ill') })
      await lifecycle({
        healthy: () => healthy,
        onUnhealthy: () => console.log('unhealthy'),
        stop: () => new Promise((resolve) => setTimeout(() => { clearInterval(timer); resolve() }, 100)),
      })`,
      { ...inbox.env, WATCHDOG_USEC: '40000' },
    )
    await inbox.until(5)
    expect(inbox.said.slice(0, 2)).toEqual([{ ready: true }, { watchdog: true }])
    program.child.kill('SIGUSR1')
    await program.prints('unhealthy')
    const count = inbox.said.length
    program.child.kill('SIGTERM')
    await program.ended
    expect(inbox.said.slice(count)).toEqual([STOPPING, { exitStatus: 0 }])
  })

  test('the watchdog rests while a healthy service stops', async () => {
    const inbox = new Inbox()
    const program = new Program(
      `${IMPORTS}
      const timer = setInterval(() => {}, 1000)
      await lifecycle({
        stop: () => new Promise((resolve) => setTimeout(() => { clearInterval(timer); resolve(-1) }, 100)),
      })`,
      { ...inbox.env, WATCHDOG_USEC: '20000' },
    )
    await inbox.until(4)
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 255, signal: null })
    const stopping = inbox.said.findIndex((said) => 'stopping' in (said as object))
    expect(inbox.said.slice(stopping)).toEqual([STOPPING, { exitStatus: 255 }])
  })

  test('the environment is the one that is given, and pings that cannot be sent are heard of', async () => {
    const inbox = new Inbox()
    const program = new Program(
      `${IMPORTS}
      const env = { NOTIFY_SOCKET: '${inbox.receiver.address}', WATCHDOG_USEC: '20000' }
      const timer = setInterval(() => {}, 1000)
      await lifecycle({ env, onError: ({ code }) => { console.log(code); clearInterval(timer) } })`,
      {},
    )
    await inbox.until(2)
    inbox.receiver.close()
    await program.prints('ERR_NOTIFY_SEND_FAILED')
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stderr).toBe('')
    expect(inbox.said[0]).toEqual({ ready: true })
  })

  test.each([
    ['{ errno: -13 }', 13],
    ['{ errno: 70_000 }', undefined],
    ["{ code: 'ENOSPC' }", 28],
    ["{ code: 'ERR_OF_OURS' }", undefined],
  ])('the errno of a start that failed with %s', async (properties, errno) => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `await lifecycle({ start() { throw Object.assign(new Error('no'), ${properties}) } }).catch(() => {})`,
    )
    await program.ended
    expect(inbox.said).toEqual([{ status: 'Start failed: no', ...(errno && { errno }) }])
  })

  test('reload() and stop() do what the signals do', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      const service = await lifecycle({ reload: () => 'again', stop: (signal) => { clearInterval(timer); console.log(signal) } })
      await service.reload()
      console.log(await service.stop(), await service.stop(), await service.stopped)
      await service.reload()`,
    )
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stdout).toBe('SIGTERM\n0 0 0\n')
    expect(inbox.said).toEqual([
      { ready: true },
      STAMP,
      { ready: true, status: 'again' },
      STOPPING,
      { exitStatus: 0 },
    ])
  })

  test('a manager that is busy holds up neither reload nor stop', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      await lifecycle({
        reload: () => console.log('reload'),
        stop: () => { clearInterval(timer); console.log('stop') },
      })`,
    )
    await inbox.until(1)
    const kernelQueue = await makeBusy(inbox)
    program.child.kill('SIGHUP')
    await program.prints('reload')
    program.child.kill('SIGTERM')
    await program.prints('stop')
    inbox.receiver.resume()
    expect(await program.ended).toEqual({ code: 0, signal: null })
    await inbox.until(kernelQueue + 4)
    expect(inbox.said.slice(kernelQueue + 1)).toEqual([
      STAMP,
      { ready: true },
      STOPPING,
      { exitStatus: 0 },
    ])
  })

  test.each([
    ['when it has nothing to do any more', ''],
    ['by process.exit', ', exit: process.exit'],
  ])('a manager that reads no more keeps no service from its exit: %s', async (_, exit) => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `const timer = setInterval(() => {}, 1000)
      await lifecycle({ stop: () => { clearInterval(timer); return 4 }${exit} })`,
    )
    await inbox.until(1)
    await makeBusy(inbox)
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 4, signal: null })
    expect(program.stderr).toBe('')
  })

  test('a stop while READY=1 waits for a manager that reads no more', async () => {
    const inbox = new Inbox()
    await makeBusy(inbox)
    const program = service(
      inbox,
      `setInterval(() => {}, 1000)
      await lifecycle({
        start: () => console.log('started'),
        stop: () => { console.log('stopped'); return 6 },
        exit: process.exit,
      })`,
    )
    await program.prints('started')
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 6, signal: null })
    expect(program.stdout).toBe('started\nstopped\n')
    expect(program.stderr).toBe('')
  })

  test('in a Worker it is refused', async () => {
    const inbox = new Inbox()
    const program = service(
      inbox,
      `import { Worker } from 'node:worker_threads'
      const worker = new Worker("import('@sdbridge/notify').then(({ lifecycle }) => lifecycle({})).catch(({ code }) => console.log(code))", { eval: true })
      await once(worker, 'exit')`,
    )
    await program.ended
    expect(program.stdout).toBe('ERR_NOTIFY_MAIN_THREAD_ONLY\n')
  })
})

const IMPORTS = `
  import { once } from 'node:events'
  import { createServer } from 'node:net'
  import { lifecycle } from '@sdbridge/notify'`

function service(inbox: Inbox, source: string): Program {
  return new Program(`${IMPORTS}\n${source}`, inbox.env)
}

async function reload(inbox: Inbox, program: Program, until: number): Promise<void> {
  program.child.kill('SIGHUP')
  await inbox.until(until)
}

// A later reload finds everything as it was.
async function reloadAgain(inbox: Inbox, program: Program): Promise<void> {
  const count = inbox.said.length
  program.child.kill('SIGHUP')
  await inbox.until(count + 1)
  program.child.kill('SIGUSR1')
  await inbox.until(count + 2)
  expect(inbox.said.slice(count)).toEqual([STAMP, { ready: true }])
}
