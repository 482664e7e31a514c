import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { bindSocket, closeFd } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Service, type ServiceOptions } from '../src/index.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'

const FIXTURE = fileURLToPath(new URL('fixtures/service.mjs', import.meta.url))

describe('start', () => {
  test('returns when the service is ready', async () => {
    const { service, states } = serviceOf([])
    await service.start()
    expect([service.activeState, service.state]).toEqual(['active', 'running'])
    expect(service.statusText).toBe('listening on 0 sockets')
    expect(states).toEqual(['start', 'running'])
  })

  test('of Type=simple does not wait', async () => {
    const { service } = serviceOf(['never-ready'], { type: 'simple' })
    await service.start()
    expect(service.state).toBe('running')
  })

  test.each([
    ['ends well before it was ready', 'exit-before-ready', 'protocol'],
    ['fails before it was ready', 'fail-before-ready', 'exit-code'],
    ['cannot be found', undefined, 'exit-code'],
  ])('fails if the service %s', async (_situation, behaviour, result) => {
    const { service } =
      behaviour === undefined
        ? follow(new Service({ command: ['/nonexistent/program'], output: 'ignore' }))
        : serviceOf([behaviour])
    await expect(service.start()).rejects.toMatchObject({ code: 'ERR_MANAGER_START_FAILED' })
    expect([service.activeState, service.result]).toEqual(['failed', result])
  })

  test('fails if the service is not ready in time, which is then stopped', async () => {
    const { service, states } = serviceOf(['never-ready'], { startTimeoutMs: 500 })
    await expect(service.start()).rejects.toMatchObject({ code: 'ERR_MANAGER_START_FAILED' })
    expect(service.result).toBe('timeout')
    expect(states).toEqual(['start', 'stop-sigterm', 'failed'])
  })

  test('fails if the working directory is not there', async () => {
    const { service } = serviceOf([], { cwd: '/nonexistent' })
    await expect(service.start()).rejects.toMatchObject({ code: 'ERR_MANAGER_START_FAILED' })
    expect(service.result).toBe('resources')
  })

  test('may be called again after a failure', async () => {
    const { service } = serviceOf(['never-ready'], { startTimeoutMs: 300 })
    await service.start().catch(() => {})
    await expect(service.start()).rejects.toMatchObject({ code: 'ERR_MANAGER_START_FAILED' })
    expect(service.activeState).toBe('failed')
  })
})

describe('messages', () => {
  test('of a process that is not the main one are refused', async () => {
    const { service, refused } = serviceOf([], {
      command: ['/bin/sh', '-c', '"$@" & wait', 'sh', process.execPath, FIXTURE],
      startTimeoutMs: 1500,
    })
    await expect(service.start()).rejects.toMatchObject({ code: 'ERR_MANAGER_START_FAILED' })
    expect(refused[0]).toContain('NotifyAccess=main')
    expect(service.result).toBe('timeout')
  })

  test('of such a process count with NotifyAccess=all', async () => {
    const { service } = serviceOf([], {
      command: ['/bin/sh', '-c', '"$@" & wait', 'sh', process.execPath, FIXTURE],
      notifyAccess: 'all',
    })
    await service.start()
    expect(service.state).toBe('running')
  })

  test('READY=1 after STOPPING=1 is ignored', async () => {
    const { service } = serviceOf(['ready-after-stopping'], { stopTimeoutMs: 300 })
    await service.start()
    while (service.statusText !== 'again') await turn()
    expect(service.activeState).toBe('deactivating')
  })

  test('a reload that began and ended during the start leaves no trace', async () => {
    const { service } = serviceOf(['reload-during-start'])
    await service.start()
    while (service.statusText !== 'listening on 0 sockets') await turn()
    expect(service.state).toBe('running')
  })

  test('STOPPING=1 before READY=1: it never becomes active', async () => {
    const { service } = serviceOf(['stop-before-ready'], { startTimeoutMs: 1000 })
    await expect(service.start()).rejects.toMatchObject({ code: 'ERR_MANAGER_START_FAILED' })
    expect(service.result).toBe('timeout')
  })

  test('EXTEND_TIMEOUT_USEC= moves the time limit of the start', async () => {
    // Long enough for a process to say so, on a machine that has much else to do.
    const startTimeoutMs = 5000
    const { service, states } = serviceOf(['never-ready', 'extend'], { startTimeoutMs })
    const extended = new Promise<void>((resolve) => {
      service.on('notification', ({ extendTimeoutUsec }) => {
        if (extendTimeoutUsec !== undefined) resolve()
      })
    })
    const ended = service.start().catch(() => {})
    await Promise.race([extended, ended])
    // Counted from here, and not from the start, it is past the limit in any case.
    await sleep(startTimeoutMs)
    expect(states).toEqual(['start'])
    await service.stop()
    await ended
  })

  test('the last one before the end of the process still counts', async () => {
    const { service } = serviceOf([])
    await service.start()
    await service.stop()
    expect(service.statusText).toBe('bye')
  })
})

describe('the watchdog', () => {
  test('is content with a service that pings', async () => {
    const { service, pings } = serviceOf([], { watchdogMs: 1500 })
    await service.start()
    // Two of them in each interval: it would have ended it by now.
    while (pings.count < 5 && service.state === 'running') await turn()
    expect(service.state).toBe('running')
  })

  test('ends one that does not, with SIGABRT', async () => {
    const { service, states, signals, exits } = serviceOf(['no-pings'], { watchdogMs: 300 })
    await service.start()
    await failed(service)
    expect(service.result).toBe('watchdog')
    expect(states).toEqual(['start', 'running', 'stop-watchdog', 'failed'])
    expect(signals).toEqual(['SIGABRT'])
    expect(exits).toEqual(['SIGABRT'])
  })

  test('ends one that asks for it', async () => {
    const { service } = serviceOf(['trigger'], { watchdogMs: 60_000 })
    await service.start()
    await failed(service)
    expect(service.result).toBe('watchdog')
  })

  test('can be switched off by the service', async () => {
    const watchdogMs = 1500
    const { service } = serviceOf(['no-pings', 'watchdog-off'], { watchdogMs })
    await service.start()
    await sleep(watchdogMs + 500)
    expect(service.state).toBe('running')
  })
})

describe('reload', () => {
  test('under Type=notify-reload waits for its end', async () => {
    const { service, states } = serviceOf([], { type: 'notify-reload' })
    await service.start()
    await service.reload()
    expect(service.statusText).toBe('reloaded')
    expect(states).toEqual(['start', 'running', 'reload-signal', 'reload-notify', 'running'])
  })

  test('under Type=notify only sends the signal', async () => {
    const { service, signals } = serviceOf([], { type: 'notify' })
    await service.start()
    await service.reload()
    expect(signals).toEqual(['SIGHUP'])
    while (service.statusText !== 'reloaded') await turn()
  })

  test.each(['deaf-to-reload', 'reload-with-old-stamp'])(
    'of a service that is %s: fails in time, and the service runs on',
    async (behaviour) => {
      const { service } = serviceOf([behaviour], { type: 'notify-reload', startTimeoutMs: 700 })
      await service.start()
      await expect(service.reload()).rejects.toMatchObject({ code: 'ERR_MANAGER_RELOAD_FAILED' })
      expect(service.state).toBe('running')
    },
  )

  test('that the service begins itself', async () => {
    const { service, states } = serviceOf(['reload-by-itself'])
    await service.start()
    while (service.statusText !== 'reloaded by itself') await turn()
    expect(states).toEqual(['start', 'running', 'reload-notify', 'running'])
  })

  test('of a service that does not run', async () => {
    const { service } = serviceOf([])
    await expect(service.reload()).rejects.toMatchObject({ code: 'ERR_MANAGER_WRONG_STATE' })
  })
})

describe('stop', () => {
  test('waits for the end', async () => {
    const { service, states, exits } = serviceOf([])
    await service.start()
    await service.stop()
    expect([service.activeState, service.result]).toEqual(['inactive', 'success'])
    expect(states.slice(2)).toEqual(['stop-sigterm', 'dead'])
    expect(exits).toEqual([0])
  })

  test('of a deaf service ends with SIGKILL', async () => {
    const { service, signals } = serviceOf(['deaf-to-stop'], { stopTimeoutMs: 500 })
    await service.start()
    await service.stop()
    expect(signals).toEqual(['SIGTERM', 'SIGKILL'])
    expect(service.result).toBe('timeout')
  })

  test('of a service that fails then', async () => {
    const { service } = serviceOf(['fail-at-stop'])
    await service.start()
    await service.stop()
    expect([service.activeState, service.result]).toEqual(['failed', 'exit-code'])
  })

  test('takes the processes along that the main one started', async () => {
    const { service } = serviceOf([], {
      command: ['/bin/sh', '-c', 'sleep 4711 & exec "$@"', 'sh', process.execPath, FIXTURE],
    })
    await service.start()
    const pid = service.mainPid!
    await service.stop()
    const { stdout } = spawnSync('ps', ['-o', 'args=', '-g', String(pid)], { encoding: 'utf8' })
    expect(stdout).not.toContain('sleep 4711')
  })
})

describe('sockets', () => {
  test('are opened before the service, and start it at the first connection', async () => {
    const path = join(temporaryDirectory(), 'socket')
    const { service, activations } = serviceOf([], {
      sockets: [
        { listen: '127.0.0.1:0', name: 'tcp' },
        { listen: path, name: 'unix' },
        { listen: '[::1]:0', type: 'dgram', name: 'udp' },
      ],
    })
    service.activateOnTraffic()
    await sleep(100)
    expect(service.state).toBe('dead')
    expect(await ask({ path })).toBe(`unix ${service.mainPid}\n`)
    expect(await ask({ port: portOf(service) })).toBe(`tcp ${service.mainPid}\n`)
    expect(activations).toEqual(['unix'])
    expect(service.statusText).toBe('listening on 3 sockets')
    await service.close()
    expect(existsSync(path)).toBe(false)
  })

  test('survive a restart: a connection made meanwhile is served afterwards', async () => {
    const { service } = serviceOf([], { sockets: [{ listen: '127.0.0.1:0' }] })
    await service.start()
    const pid = service.mainPid
    // Made when the old process is gone and the new one is not there.
    const meanwhile = new Promise<string>((resolve) => {
      service.once('exit', () => resolve(ask({ port: portOf(service) })))
    })
    await service.restart()
    expect(service.mainPid).not.toBe(pid)
    expect(await meanwhile).toContain(` ${service.mainPid}\n`)
  })

  test('start a service again that has failed, but not more than five times', async () => {
    const { service, activations, refused } = serviceOf(['fail-before-ready'], {
      sockets: [{ listen: '127.0.0.1:0' }],
    })
    service.activateOnTraffic()
    const connection = connect({ port: portOf(service) })
    onTestFinished(() => void connection.destroy())
    while (!refused.some((reason) => reason.includes('5 times'))) await turn()
    expect(activations).toHaveLength(5)
    expect(service.activeState).toBe('failed')
  })

  test('still start it after two restarts at the same time', async () => {
    const { service, activations } = serviceOf([], { sockets: [{ listen: '127.0.0.1:0' }] })
    service.activateOnTraffic()
    await service.start()
    await Promise.allSettled([service.restart(), service.restart()])
    await service.stop()
    expect(await ask({ port: portOf(service) })).toContain(` ${service.mainPid}\n`)
    expect(activations).toHaveLength(1)
  })

  test('that somebody else has replaced since are left alone', async () => {
    const path = join(temporaryDirectory(), 'socket')
    const { service } = serviceOf([], { sockets: [{ listen: path }, { listen: '127.0.0.1:0' }] })
    rmSync(path)
    writeFileSync(path, 'mine')
    await service.close()
    await service.close()
    expect(existsSync(path)).toBe(true)
    expect(service.sockets).toEqual([])
  })

  test('at a path: a stale file is replaced, a living socket of any type is not', () => {
    const path = join(temporaryDirectory(), 'socket')
    const stream = bindSocket({ type: 'stream', address: { family: 'unix', path } })
    const open = (): Followed => serviceOf([], { sockets: [{ listen: path }] })
    expect(open).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    closeFd(stream)
    expect(open().service.sockets).toHaveLength(1)
  })

  test('start a service again that has ended well', async () => {
    const { service, exits } = serviceOf(['exit-after-connection'], {
      sockets: [{ listen: '127.0.0.1:0' }],
    })
    service.activateOnTraffic()
    const port = portOf(service)
    const first = await ask({ port })
    while (exits.length < 1) await turn()
    expect(await ask({ port })).not.toBe(first)
  })

  test('that are in use, or no address: an error, and nothing stays open', () => {
    const before = readdirSync('/proc/self/fd').length
    const { service } = serviceOf([], { sockets: [{ listen: '127.0.0.1:0' }] })
    const taken = `127.0.0.1:${portOf(service)}`
    const during = readdirSync('/proc/self/fd').length
    const open = (listen: string): Service =>
      new Service({ command: ['true'], sockets: [{ listen: '127.0.0.1:0' }, { listen }] })
    expect(() => open(taken)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    expect(() => open('nonsense')).toThrow(
      expect.objectContaining({ code: 'ERR_MANAGER_INVALID_OPTION' }),
    )
    expect(readdirSync('/proc/self/fd').length).toBe(during)
    expect(during).toBeGreaterThan(before)
  })
})

describe('close', () => {
  test('during a restart ends everything', async () => {
    const { service } = serviceOf([], { sockets: [{ listen: '127.0.0.1:0' }] })
    await service.start()
    const restart = service.restart()
    await service.close()
    await expect(restart).rejects.toMatchObject({ code: 'ERR_MANAGER_WRONG_STATE' })
    expect(service.mainPid).toBeUndefined()
    await expect(service.start()).rejects.toMatchObject({ code: 'ERR_MANAGER_WRONG_STATE' })
  })
})

test('a listener that throws stops nothing, and is heard of', async () => {
  const thrown: string[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => thrown.push(error.message))
  const { service } = serviceOf([])
  service.on('state', () => {
    throw new Error('the listener failed')
  })
  await service.start()
  await service.stop()
  expect(thrown.length).toBeGreaterThanOrEqual(2)
  process.removeAllListeners('uncaughtException')
  for (const listener of listeners) process.on('uncaughtException', listener)
})

test('a watchdog interval of 30 days does not fit into a timer, and works', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  onTestFinished(() => void process.off('warning', onWarning))
  const { service } = serviceOf(['watchdog-30-days', 'no-pings'], { watchdogMs: 1000 })
  await service.start()
  await sleep(1300)
  expect(service.state).toBe('running')
  expect(warnings).toEqual([])
})

describe('options', () => {
  test.each([
    [{ command: 'node server.js' }, /command must be an array/],
    [{ command: ['a\0b'] }, /command must be an array/],
    [{ command: ['true'], killSignal: 'SIGFOO' }, /killSignal must be a signal's name/],
    [{ command: ['true'], watchdogMs: 1e-4 }, /watchdogMs must be a number of milliseconds/],
    [{ command: ['true'], sockets: [{ listen: 1, name: 'a:b' }] }, /a socket name must be/],
  ])('%j is refused', (options, message) => {
    expect(() => new Service(options as unknown as ServiceOptions)).toThrow(message)
  })

  test('undefined ones count as absent', async () => {
    const { service } = serviceOf([], {
      env: undefined,
      sockets: undefined,
    } as unknown as ServiceOptions)
    await service.start()
    expect(service.state).toBe('running')
  })

  test('NotifyAccess=none cannot be with Type=notify, as in systemd', async () => {
    const { service } = serviceOf([], { notifyAccess: 'none' })
    await service.start()
    expect(service.state).toBe('running')
  })

  test('a command line that is too long: an error, and no stuck state', async () => {
    const { service } = serviceOf(['x'.repeat(200_000)])
    await expect(service.start()).rejects.toMatchObject({
      code: 'ERR_MANAGER_START_FAILED',
      cause: { code: 'E2BIG' },
    })
    expect([service.activeState, service.result]).toEqual(['failed', 'resources'])
  })
})

test('close leaves nothing behind', async () => {
  // Of its own: others run on this machine too.
  const directory = temporaryDirectory()
  vi.stubEnv('TMPDIR', directory)
  onTestFinished(() => void vi.unstubAllEnvs())
  const left = (): string[] => readdirSync(directory)
  const { service } = serviceOf([], { sockets: [{ listen: '127.0.0.1:0' }] })
  await service.start()
  expect(left()).toEqual([expect.stringMatching(/^sdbridge-manager-/)])
  await service.close()
  expect(left()).toEqual([])
})

interface Followed {
  service: Service
  states: string[]
  signals: string[]
  refused: string[]
  activations: string[]
  exits: (number | string | null)[]
  pings: { count: number }
}

function serviceOf(behaviour: string[], options: Partial<ServiceOptions> = {}): Followed {
  const command = [process.execPath, FIXTURE] as const
  const given = options.command ?? command
  return follow(
    new Service({
      output: 'inherit',
      ...options,
      command: [...given, ...behaviour] as unknown as [string, ...string[]],
    }),
  )
}

function follow(service: Service): Followed {
  const followed: Followed = {
    service,
    states: [],
    signals: [],
    refused: [],
    activations: [],
    exits: [],
    pings: { count: 0 },
  }
  service.on('state', (state) => followed.states.push(state))
  service.on('signal', (signal) => followed.signals.push(signal))
  service.on('refused', (reason) => followed.refused.push(reason))
  service.on('activation', ({ name }) => followed.activations.push(name))
  service.on('exit', (code, signal) => followed.exits.push(signal ?? code))
  service.on('notification', ({ watchdog }) => {
    if (watchdog === true) followed.pings.count++
  })
  onTestFinished(() => service.close())
  return followed
}

async function failed(service: Service): Promise<void> {
  while (service.activeState !== 'failed') await turn()
}

function portOf(service: Service): number {
  const address = service.sockets[0]!.address
  return 'port' in address ? address.port : 0
}

async function ask(where: { port: number } | { path: string }): Promise<string> {
  return text(connect(where))
}

function turn(): Promise<void> {
  return sleep(2)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
