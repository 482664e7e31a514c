import cluster from 'node:cluster'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { barrier, notify, notifySync, status, storeFds, watchdogInterval } from '../src/index.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { Inbox } from './inbox.js'
import { Program } from './program.js'

const ENTRY = fileURLToPath(new URL('../dist/index.js', import.meta.url))

describe('unsetEnvironment', () => {
  test('removes NOTIFY_SOCKET, and later calls know it still', async () => {
    const inbox = new Inbox()
    const env: NodeJS.ProcessEnv = { ...inbox.env, OTHER: '1' }
    await notify({ ready: true }, { env, unsetEnvironment: true })
    expect(env).toEqual({ OTHER: '1' })
    await status('still heard', { env })
    expect(await barrier({ env })).toBe('passed')
    expect(inbox.said).toEqual([{ ready: true }, { status: 'still heard' }])
    // Whoever sets it anew means that.
    const other = new Inbox()
    Object.assign(env, other.env)
    await status('elsewhere', { env })
    await other.until(1)
  })

  test('does so whatever comes of the call', async () => {
    const calls = [
      (env: NodeJS.ProcessEnv) => notify({ fdName: 'x' }, { env, unsetEnvironment: true }),
      (env: NodeJS.ProcessEnv) => barrier({ env, unsetEnvironment: true }),
      (env: NodeJS.ProcessEnv) => storeFds('x', 0, { env, unsetEnvironment: true }),
      (env: NodeJS.ProcessEnv) => barrier({ env, unsetEnvironment: true, timeoutMs: -1 }),
      (env: NodeJS.ProcessEnv) =>
        barrier({ env, unsetEnvironment: true, signal: AbortSignal.abort() }),
      (env: NodeJS.ProcessEnv) => storeFds('x', -1, { env, unsetEnvironment: true }),
      async (env: NodeJS.ProcessEnv) =>
        notifySync({ ready: true }, { env, unsetEnvironment: true }),
    ]
    for (const call of calls) {
      const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: '/nonexistent/notify' }
      await call(env).catch(() => {})
      expect(env).toEqual({})
    }
  })

  test('of the watchdog removes both variables', () => {
    const env: NodeJS.ProcessEnv = { WATCHDOG_USEC: '2000', WATCHDOG_PID: String(process.pid) }
    expect(watchdogInterval({ env, unsetEnvironment: true })).toBe(2)
    expect(env).toEqual({})
    expect(watchdogInterval({ env })).toBe(2)
  })

  test('children of the process do not inherit it', async () => {
    const inbox = new Inbox()
    const source = `
      import { execFileSync } from 'node:child_process'
      import { ready, status } from '@sdbridge/notify'
      await ready(undefined, { unsetEnvironment: true })
      console.log(execFileSync('env').includes('NOTIFY_SOCKET') ? 'inherited' : 'clean')
      await status('still heard')`
    const program = new Program(source, inbox.env)
    await program.ended
    expect(program.stdout).toBe('clean\n')
    await inbox.until(2)
    expect(inbox.said).toEqual([{ ready: true }, { status: 'still heard' }])
  })
})

describe('importing', () => {
  test('loads no addon and no debug, opens nothing, and keeps nothing alive', async () => {
    const source = `
      import { readdirSync, readFileSync } from 'node:fs'
      import { createRequire } from 'node:module'
      // All that is opened for printing is open by then, and what the loader reads is closed.
      process.stdout.write(''), process.stderr.write('')
      const things = async () => {
        while (process.getActiveResourcesInfo().some((name) => name.includes('Req'))) await new Promise((resolve) => setImmediate(resolve))
        return JSON.stringify([readdirSync('/proc/self/fd').length, process.getActiveResourcesInfo(), process.eventNames().map(String)])
      }
      const before = await things()
      const environment = JSON.stringify(process.env)
      await import('@sdbridge/notify')
      const after = await things()
      const { cache } = createRequire(import.meta.url)
      console.log(JSON.stringify({
        addon: readFileSync('/proc/self/maps', 'utf8').includes('prebuilds/linux-'),
        debug: Object.keys(cache).some((file) => file.includes('/debug/')),
        same: after === before ? true : [before, after],
        environment: JSON.stringify(process.env) === environment,
      }))`
    const program = new Program(source, { NOTIFY_SOCKET: '/run/nowhere', WATCHDOG_USEC: '1000' })
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(JSON.parse(program.stdout)).toEqual({
      addon: false,
      debug: false,
      same: true,
      environment: true,
    })
  })

  test('works by require() of an ES module', async () => {
    const inbox = new Inbox()
    const source = `
      const { ready, notifySync } = require(${JSON.stringify(ENTRY)})
      ready('required').then(() => notifySync({ stopping: true }))`
    const program = new Program(source, inbox.env, { flags: [] })
    expect(await program.ended).toMatchObject({ code: 0 })
    await inbox.until(2)
    expect(inbox.said).toEqual([{ ready: true, status: 'required' }, { stopping: true }])
  })
})

describe("Node's resolution of symbolic links", () => {
  // It looks at what the last fstat(2) of anybody has left, see src/diagnostics.ts.
  const REQUIRE = `
    import { fstatSync } from 'node:fs'
    import { createRequire } from 'node:module'
    import { createServer } from 'node:net'
    import { barrier, notify, storeFds } from '@sdbridge/notify'
    const require = createRequire(import.meta.resolve('@sdbridge/notify'))
    const server = createServer().listen(0)
    await new Promise((resolve) => server.once('listening', resolve))
    const requireDebug = () => { require('debug'); console.log('found') }`

  test('is not spoiled by storing a socket, or by a barrier', async () => {
    const inbox = new Inbox()
    for (const call of ["void storeFds('web', server)", 'void barrier()']) {
      const program = new Program(`${REQUIRE}\n${call}\nrequireDebug(); server.close()`, inbox.env)
      expect(await program.ended).toEqual({ code: 0, signal: null })
      expect(program.stdout).toBe('found\n')
    }
  })

  test('may be spoiled by others: messages are sent all the same', async () => {
    const inbox = new Inbox()
    const program = new Program(
      `${REQUIRE}
      fstatSync(server._handle.fd)
      await notify({ ready: true })
      server.close()`,
      { ...inbox.env, DEBUG: 'sdbridge:notify' },
    )
    expect(await program.ended).toEqual({ code: 0, signal: null })
    expect(program.stderr).toContain('sent: 7 bytes')
  })
})

describe('elsewhere than in the main thread of the main process', () => {
  test('Workers send, each by a socket of its own, and end well', async () => {
    const inbox = new Inbox()
    const source = `
      import { Worker } from 'node:worker_threads'
      const worker = \`
        import('${ENTRY}').then(async ({ barrier, notify, notifySync, storeFds }) => {
          const { threadId } = await import('node:worker_threads')
          await notify({ extra: { X_THREAD: String(threadId) } })
          notifySync({ extra: { X_SYNC: String(threadId) } })
          if (await barrier() !== 'passed') throw new Error('not passed')
        })\`
      for (let index = 0; index < 5; index++) new Worker(worker, { eval: true })`
    const program = new Program(source, inbox.env)
    const ended = await program.ended
    expect({ ...ended, stderr: program.stderr }).toEqual({ code: 0, signal: null, stderr: '' })
    await inbox.until(10)
    const threads = inbox.notifications.map(({ assignments }) => assignments.extra?.['X_THREAD'])
    expect(new Set(threads.filter(Boolean))).toEqual(new Set(['1', '2', '3', '4', '5']))
  })

  test('workers of node:cluster send as themselves, and have no descriptor of a shared server', async () => {
    expect(cluster.isPrimary).toBe(true)
    const inbox = new Inbox()
    const file = join(temporaryDirectory(), 'cluster.mjs')
    const source = `
      import cluster from 'node:cluster'
      import { createServer } from 'node:http'
      import { ready, status, storeFds } from '${ENTRY}'
      if (cluster.isPrimary) {
        cluster.setupPrimary({ exec: '${file}' })
        const worker = cluster.fork()
        worker.on('exit', async () => { await ready(String(worker.process.pid)) })
      } else {
        const server = createServer().listen(0, async () => {
          await status('worker')
          const error = await storeFds('web', server).catch((reason) => reason)
          await status(String(error.code))
          server.close(() => process.disconnect())
        })
      }`
    const { writeFileSync } = await import('node:fs')
    writeFileSync(file, source)
    const program = new Program(`await import('${file}')`, inbox.env)
    expect(await program.ended).toMatchObject({ code: 0 })
    await inbox.until(3)
    expect(inbox.said).toMatchObject([
      { status: 'worker' },
      { status: 'ERR_NOTIFY_NO_DESCRIPTOR' },
      { ready: true },
    ])
    const [worker, , primary] = inbox.notifications
    expect(primary!.sender.pid).toBe(program.pid)
    expect(primary!.assignments.status).toBe(String(worker!.sender.pid))
  })
})
