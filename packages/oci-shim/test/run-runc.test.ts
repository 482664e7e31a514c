import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { type BundleOptions, makeBundle } from './run/bundle.js'
import { cleanup } from './run/cleanup.js'
import { startedWith } from './run/start-state.js'
import { BridgedUnit, type BridgedUnitOptions, SDBRIDGE } from './run/unit.js'

const canRun = isRoot() && works('runc', '--version') && works(PYTHON, '--version')

describe.skipIf(!canRun)('sdbridge run -- runc', () => {
  test('what the payload notifies arrives, to the last word', async () => {
    const unit = runc(['send:STATUS=up\nREADY=1', 'send:X_TEST=last', 'exit:0'])
    await unit.service.start()
    expect(await unit.ended).toEqual([0, null])
    expect(unit.notifications).toContainEqual({ status: 'up', ready: true })
    expect(unit.notifications.at(-1)).toEqual({ extra: { X_TEST: 'last' } })
    leavesNothing(unit)
  })

  test.each([
    ['exit:3', [3, null]],
    ['exit:125', [125, null]],
    ['exit:134', [134, null]],
    ['exit:137', [null, 'SIGKILL']],
    ['exit:141', [null, 'SIGPIPE']],
    ['exit:143', [null, 'SIGTERM']],
  ])('%s of the payload ends the unit as %j', async (step, end) => {
    const unit = runc(['send:READY=1', step])
    await unit.service.start()
    expect(await unit.ended).toEqual(end)
    leavesNothing(unit)
  })

  test('a container that ends before it is ready ends the unit', async () => {
    const unit = runc(['exit:4'])
    await unit.failsToStart()
    expect(await unit.ended).toEqual([4, null])
    leavesNothing(unit)
  })

  test('the stop of the unit is that of the container', async () => {
    const unit = runc(['on:TERM send:STOPPING=1;exit:0', 'send:READY=1', 'forever'])
    await unit.service.start()
    await unit.service.stop()
    expect(await unit.ended).toEqual([0, null])
    expect(unit.notifications.at(-1)).toEqual({ stopping: true })
    leavesNothing(unit)
  })

  test('the signal that the image wants stops it', async () => {
    const annotations = { 'org.opencontainers.image.stopSignal': 'SIGQUIT' }
    const unit = runc(['on:QUIT exit:7', 'send:READY=1', 'forever'], { changes: { annotations } })
    await unit.service.start()
    process.kill(unit.pid, 'SIGTERM')
    process.kill(unit.pid, 'SIGTERM')
    expect(await unit.ended).toEqual([7, null])
    leavesNothing(unit)
  })

  test('a payload that is deaf to its stop signal is killed', async () => {
    const unit = runc(['on:TERM say:deaf', 'send:READY=1', 'forever'], {
      runOptions: ['--stop-timeout', '2'],
    })
    await unit.service.start()
    process.kill(unit.pid, 'SIGTERM')
    expect(await unit.ended).toEqual([null, 'SIGKILL'])
    expect(unit.output).toContain('deaf')
    leavesNothing(unit)
  })

  test('a payload that asks for more time to stop has it', async () => {
    const stop = 'on:TERM send:EXTEND_TIMEOUT_USEC=20000000;sleep:4;exit:8'
    const unit = runc([stop, 'send:READY=1', 'forever'], { runOptions: ['--stop-timeout', '2'] })
    await unit.service.start()
    process.kill(unit.pid, 'SIGTERM')
    expect(await unit.ended).toEqual([8, null])
  })

  test.each(['SIGHUP', 'SIGUSR2', 'SIGALRM'] as const)('%s reaches the payload', async (signal) => {
    const name = signal.slice(3)
    const unit = runc([`on:${name} send:STATUS=heard;exit:0`, 'send:READY=1', 'forever'])
    await unit.service.start()
    process.kill(unit.pid, signal)
    expect(await unit.ended).toEqual([0, null])
    expect(unit.notifications.at(-1)).toEqual({ status: 'heard' })
  })

  test('a real-time signal reaches the payload', async () => {
    const unit = runc(['on:RTMIN exit:5', 'send:READY=1', 'forever'])
    await unit.service.start()
    spawnSync('kill', ['-s', 'RTMIN', String(unit.pid)])
    expect(await unit.ended).toEqual([5, null])
  })

  test('the watchdog ends a payload that has hung', async () => {
    const unit = runc(['on:ABRT exit:9', 'send:READY=1', 'forever'], { watchdogMs: 300 })
    await unit.service.start()
    expect(await unit.ended).toEqual([9, null])
    leavesNothing(unit)
  })

  test('SIGUSR1 has the counters printed', async () => {
    const unit = runc(['on:TERM exit:0', 'send:READY=1', 'forever'])
    await unit.service.start()
    process.kill(unit.pid, 'SIGUSR1')
    await vi.waitFor(
      () => expect(unit.output).toContain('1 notifications received, 1 forwarded'),
      WAIT,
    )
    await unit.service.stop()
  })

  test('the payload is told what the manager tells, and nothing that is for the bridge', async () => {
    const unit = runc(['env', 'send:READY=1'], { watchdogMs: 60_000 })
    await unit.service.start()
    await unit.ended
    expect(unit.said('ENV')).toEqual({
      PATH: '/usr/bin:/bin',
      NOTIFY_SOCKET: '/run/notify/notify.sock',
      WATCHDOG_USEC: '60000000',
      LC_CTYPE: expect.anything() as string,
      HOME: '/',
      PWD: '/',
    })
  })

  test('the sockets of the unit arrive, with their names, and no other descriptor', async () => {
    const unit = runc(['send:READY=1', 'serve'], {
      sockets: [
        { listen: '127.0.0.1:0', name: 'web' },
        { listen: '127.0.0.1:0', name: 'sdbridge.kept' },
      ],
    })
    await unit.service.start()
    const { port } = unit.service.sockets[0]!.address as AddressInfo
    expect(await text(connect({ port }))).toBe('web:kept\n')
    expect(await unit.ended).toEqual([0, null])
    expect(startedWith(unit.output).fds).toEqual([0, 1, 2, 3, 4])
  })

  test('limits and signals are those of runc without a bridge', async () => {
    const bundle = makeBundle(['exit:0'])
    const plain = spawnSync('runc', ['run', '--bundle', bundle, 'plain'], { encoding: 'utf8' })
    const unit = runc(['exit:0'])
    await unit.failsToStart()
    expect(startedWith(unit.output)).toEqual(startedWith(plain.stdout))
  })

  test('a container that was created before is started by the unit, and its bridge is at the same place', async () => {
    const id = `test-${process.pid}-${(count += 1)}`
    onTestFinished(() => void spawnSync('runc', ['delete', '--force', id]))
    const bundle = makeBundle(['on:TERM send:STOPPING=1;exit:0', 'send:READY=1', 'forever'])
    const create = ['run', '--', 'runc', 'create', '--bundle', bundle, id]
    const created = spawnSync(process.execPath, [SDBRIDGE, ...create], { stdio: 'ignore' })
    expect(created.status).toBe(0)
    const unit = new BridgedUnit(['runc', 'start', id])
    await unit.service.start()
    await unit.service.stop()
    expect(await unit.ended).toEqual([0, null])
    expect(unit.notifications).toEqual([{ ready: true }, { stopping: true }])
    expect(existsSync(`/run/sdbridge/containers/runc-${id}`)).toBe(false)
    leavesNothing(unit)
  })

  test('a container that was created without the bridge is refused', async () => {
    const id = `test-${process.pid}-${(count += 1)}`
    onTestFinished(() => void spawnSync('runc', ['delete', '--force', id]))
    spawnSync('runc', ['create', '--bundle', makeBundle(['exit:0']), id], { stdio: 'ignore' })
    const unit = new BridgedUnit(['runc', 'start', id])
    await unit.failsToStart()
    expect(await unit.ended).toEqual([2, null])
    expect(unit.output).toContain('create it by sdbridge run -- runc create')
  })

  test('the socket is there for a user of a user namespace', async () => {
    const ids = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
    const unit = runc(['send:READY=1', 'send:STATUS=from within', 'exit:0'], {
      changes: {
        linux: {
          namespaces: ['pid', 'mount', 'ipc', 'uts', 'user'].map((type) => ({ type })),
          uidMappings: ids,
          gidMappings: ids,
        },
      },
      uid: 1000,
      owner: 100_000,
    })
    await unit.service.start()
    expect(await unit.ended).toEqual([0, null])
    expect(unit.notifications.at(-1)).toEqual({ status: 'from within' })
    leavesNothing(unit)
  })

  test('a fault of the bridge does not leave a container behind', async () => {
    const fault = `data:text/javascript,process.on('SIGPROF',()=>{throw new Error('a fault')})`
    const unit = runc(['send:READY=1', 'forever'], {
      env: { ...process.env, NODE_OPTIONS: `--import=${encodeURI(fault)}` },
    })
    await unit.service.start()
    process.kill(unit.pid, 'SIGPROF')
    expect(await unit.ended).toEqual([125, null])
    expect(unit.output).toContain('giving up: Error: a fault')
    leavesNothing(unit)
  })

  test('nor does a fault while it is being started', async () => {
    // It comes late enough for the container to be there.
    const fault = `data:text/javascript,process.once=((once)=>function(name,...rest){
      if(name!=='uncaughtException')return once.call(this,name,...rest)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)),0,0,3000)
      throw new Error('a fault')
    })(process.once)`
    const unit = runc(['forever'], {
      env: { ...process.env, NODE_OPTIONS: `--import=${encodeURI(fault)}` },
    })
    await unit.failsToStart()
    expect(await unit.ended).toEqual([125, null])
    expect(unit.output).toContain('giving up: Error: a fault')
    leavesNothing(unit)
  })

  test('what a killed bridge has left behind is removed by sdbridge cleanup', async () => {
    const unit = runc(['on:TERM say:deaf', 'send:READY=1', 'forever'])
    await unit.service.start()
    process.kill(unit.pid, 'SIGKILL')
    await unit.ended
    expect(existsSync(`/run/sdbridge/${unit.name}/state.json`)).toBe(true)
    expect(cleanup(unit.name)).toMatchObject({ status: 0 })
    leavesNothing(unit)
    expect(cleanup(unit.name)).toMatchObject({ status: 0 })
  })

  test('what a killed bridge has left behind is removed by the next start', async () => {
    const unit = runc(['on:TERM exit:0', 'send:READY=1', 'forever'])
    await unit.service.start()
    const first = unit.pid
    process.kill(unit.pid, 'SIGKILL')
    await unit.ended
    await unit.service.start()
    expect(unit.pid).not.toBe(first)
    await unit.service.stop()
    leavesNothing(unit)
  })

  test('a container of that name which is not the unit’s stays, and is named', async () => {
    const bundle = makeBundle(['forever'])
    const id = `foreign-${process.pid}`
    spawnSync('runc', ['run', '--detach', '--bundle', bundle, id], { stdio: 'ignore' })
    onTestFinished(() => void spawnSync('runc', ['delete', '--force', id]))
    const unit = new BridgedUnit(['runc', 'run', '--bundle', makeBundle(['send:READY=1']), id])
    await unit.failsToStart()
    expect(await unit.ended).toEqual([125, null])
    expect(unit.output).toContain(`there is a container ${id} already`)
    expect(spawnSync('runc', ['list', '--quiet'], { encoding: 'utf8' }).stdout).toContain(id)
    expect(existsSync(`/run/sdbridge/${unit.name}`)).toBe(false)
  })

  test('a container that has the name of one that was left behind stays', async () => {
    const unit = runc(['send:READY=1', 'forever'])
    const id = `test-${process.pid}-${count}`
    await unit.service.start()
    process.kill(unit.pid, 'SIGKILL')
    await unit.ended
    spawnSync('runc', ['delete', '--force', id])
    const bundle = makeBundle(['forever'])
    spawnSync('runc', ['run', '--detach', '--bundle', bundle, id], { stdio: 'ignore' })
    await unit.failsToStart()
    expect(unit.output).toContain(`there is a container ${id} already`)
    expect(cleanup(unit.name)).toMatchObject({ status: 0 })
    const { stdout } = spawnSync('runc', ['list', '--quiet'], { encoding: 'utf8' })
    expect(stdout.split('\n')).toContain(id)
  })

  test('a second bridge of a unit is refused', async () => {
    const unit = runc(['on:TERM exit:0', 'send:READY=1', 'forever'])
    await unit.service.start()
    const second = runc(['on:TERM exit:0', 'send:READY=1', 'forever'], {
      runOptions: ['--unit', unit.name],
    })
    await second.failsToStart()
    expect(second.output).toContain('another sdbridge serves')
    expect(unit.service.state).toBe('running')
    await unit.service.stop()
    leavesNothing(unit)
  })

  test('a directory that may be somebody else’s is not touched', async () => {
    const unit = runc(['send:READY=1'])
    mkdirSync(`/run/sdbridge/${unit.name}`, { recursive: true, mode: 0o755 })
    onTestFinished(() => void spawnSync('rm', ['-r', `/run/sdbridge/${unit.name}`]))
    writeFileSync(`/run/sdbridge/${unit.name}/file`, '')
    await unit.failsToStart()
    expect(await unit.ended).toEqual([125, null])
    expect(unit.output).toMatch(/^sdbridge: .*remove it\n$/)
    expect(existsSync(`/run/sdbridge/${unit.name}/file`)).toBe(true)
  })
})

const WAIT = { timeout: 20_000, interval: 20 }
let count = 0

function runc(
  steps: string[],
  { changes, uid, owner, ...options }: BridgedUnitOptions & BundleOptions = {},
): BridgedUnit {
  const id = `test-${process.pid}-${(count += 1)}`
  const unit = new BridgedUnit(
    ['runc', 'run', '--bundle', makeBundle(steps, { changes, uid, owner }), id],
    options,
  )
  onTestFinished(() => void spawnSync('runc', ['delete', '--force', id]))
  return unit
}

function leavesNothing(unit: BridgedUnit): void {
  expect(existsSync(`/run/sdbridge/${unit.name}`)).toBe(false)
  expect(spawnSync('runc', ['list', '--quiet'], { encoding: 'utf8' }).stdout).not.toContain(
    `test-${process.pid}-${count}\n`,
  )
  expect(spawnSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' }).stdout).not.toContain(
    unit.name,
  )
}
