import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { engineVariables } from '../src/handover/engine-variables.js'
import { noteProcess } from '../src/run/start-ticks.js'
import { writeState } from '../src/run/state-file.js'
import { MainProcess } from './daemon/daemon-bench.js'
import { until } from './proxy/bench.js'
import { cleanup } from './run/cleanup.js'
import { scriptedEngine } from './run/scripted-engine.js'
import { BASE, ENVIRONMENT, SDBRIDGE } from './run/unit.js'
import { sdbridge } from './sdbridge.js'

// What becomes of it with the real daemon and real engines: test/system/daemon-run.test.ts.
describe('sdbridge run --daemon', () => {
  test('prints the command that the unit becomes, which passes signals on', () => {
    const { stdout, status } = printed('docker', 'run', '--rm', 'img')
    expect(stdout).toContain(
      'type=bind,source=/var/lib/sdbridge-daemon/notify/web.service,target=/run/notify,readonly',
    )
    expect(stdout).toContain('--env NOTIFY_SOCKET=/run/notify/notify.sock')
    expect(stdout).not.toContain('--sig-proxy')
    expect(status).toBe(0)
  })

  test('prints another command with the paths of the daemon in it', () => {
    const { stdout } = printed('start-web', '{notify-directory}', '{notify-socket}')
    const directory = '/var/lib/sdbridge-daemon/notify/web.service'
    expect(stdout).toContain(`start-web ${directory} ${directory}/notify.sock\n`)
  })

  test.each([
    ['docker create img', 'docker create starts nothing'],
    ['docker run --detach img', 'docker run --detach: the client is the unit'],
    ['podman run -d img', 'podman run --detach: the client is the unit'],
  ])('refuses %s', (command, reason) => {
    const { stderr, status } = printed(...command.split(' '))
    expect(stderr).toContain(`--daemon: ${reason}`)
    expect(status).toBe(2)
  })

  test('refuses to be started by nobody’s unit', () => {
    const words = ['run', '--daemon', '--', 'sh', '-c', ':']
    const { stderr, status } = sdbridge(words)
    expect(stderr).toMatch(/--daemon: expected to be started by a unit of the system's/)
    expect(status).toBe(2)
  })
})

describe('where a client is the main process, sdbridge cleanup', () => {
  test('leaves its container alone for as long as the client lives', async () => {
    const client = new MainProcess()
    const run = new LeftRun(client.pid)
    const { status, stderr } = cleanup(run.unit)
    expect(stderr).toContain('has not ended')
    expect([status, run.said()]).toEqual([125, []])
    expect(existsSync(run.directory)).toBe(true)

    await client.end()
    expect(cleanup(run.unit).status).toBe(0)
    expect(run.said()).toContain('rm --force web')
    expect(existsSync(run.directory)).toBe(false)
    expect(existsSync(run.mountpoint)).toBe(false)
  })

  test('is silent of a container that has gone by itself', async () => {
    const client = new MainProcess()
    const run = new LeftRun(client.pid, 'echo No such container >&2; exit 1')
    await client.end()
    const { status, stderr } = cleanup(run.unit)
    expect([status, stderr]).toEqual([0, ''])
    expect(existsSync(run.directory)).toBe(false)
  })

  test('does not take one that has ended for alive before it was waited for', async () => {
    const script = 'sleep 0 & echo $!; exec sleep 1000'
    const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
    onTestFinished(() => void parent.kill('SIGKILL'))
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    await until(() => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')))
    const run = new LeftRun(pid)
    expect(cleanup(run.unit).status).toBe(0)
    expect(run.said()).toContain('rm --force web')
  })

  test('can be at it beside others', async () => {
    const client = new MainProcess()
    const run = new LeftRun(client.pid)
    await client.end()
    const words = [SDBRIDGE, 'cleanup', '--unit', run.unit]
    const ended = Array.from({ length: 6 }, async () => {
      const other = spawn(process.execPath, words, { env: ENVIRONMENT, stdio: 'ignore' })
      return ((await once(other, 'exit')) as [number])[0]
    })
    expect(await Promise.all(ended)).toEqual([0, 0, 0, 0, 0, 0])
    expect(existsSync(run.directory)).toBe(false)
  })

  test('asks the engine that the unit has asked', async () => {
    const client = new MainProcess()
    const run = new LeftRun(client.pid, '[ "$DOCKER_HOST" = unix:///of-the-unit ]')
    await client.end()
    expect(cleanup(run.unit).status).toBe(0)
    expect(run.said()).toEqual(['container inspect web'])
  })
})

test('of a unit’s environment, what concerns engines is kept for who cleans up', () => {
  const kept = { DOCKER_HOST: 'a', DOCKER_CONTEXT: 'b', CONTAINER_HOST: 'c', PATH: 'd', HOME: 'e' }
  expect(engineVariables({ ...kept, PASSWORD: 'f', NODE_OPTIONS: 'g' })).toEqual(kept)
})

function printed(...command: string[]): ReturnType<typeof sdbridge> {
  const words = ['run', '--daemon', '--print', '--unit', 'web.service', '--', ...command]
  return sdbridge(words, '', { ...process.env, NOTIFY_SOCKET: '/run/systemd/notify' })
}

/** What `sdbridge run --daemon` has left, which has become this process. */
class LeftRun {
  readonly unit = `test-${randomBytes(6).toString('hex')}.service`
  readonly directory = join(BASE, this.unit)
  readonly mountpoint = join(temporaryDirectory(), 'notify')
  readonly said: () => string[]

  /** @param body Of the engine, which otherwise has the container. */
  constructor(pid: number, body?: string) {
    const inspected = JSON.stringify([{ Config: { Labels: { 'io.sdbridge.unit': this.unit } } }])
    const { file, said } = scriptedEngine('docker', body ?? `echo '${inspected}'`)
    this.said = said
    mkdirSync(this.directory, { recursive: true, mode: 0o700 })
    onTestFinished(() => rmSync(this.directory, { recursive: true, force: true }))
    mkdirSync(this.mountpoint)
    writeState(this.directory, {
      unit: this.unit,
      invocation: undefined,
      container: {
        name: 'web',
        inspect: { file, args: ['container', 'inspect', 'web'] },
        remove: { file, args: ['rm', '--force', 'web'] },
      },
      client: noteProcess(pid),
      environment: { DOCKER_HOST: 'unix:///of-the-unit' },
      mountpoints: [this.mountpoint],
    })
  }
}
