import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { RECORD_START_STATE, signalNumber } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { scriptedEngine } from './run/scripted-engine.js'
import { payload } from './run/bundle.js'
import { startedWith, tellingStart } from './run/start-state.js'
import { BASE, BridgedUnit, ENVIRONMENT, SDBRIDGE } from './run/unit.js'

describe.skipIf(!works(PYTHON, '--version'))('sdbridge run with any other command', () => {
  test('what it notifies arrives, and it is said that the engine is not known', async () => {
    const unit = other(payload('send:READY=1\nSTATUS=up', 'exit:3'))
    await unit.service.start()
    expect(await unit.ended).toEqual([3, null])
    expect(unit.notifications).toEqual([{ status: 'up', ready: true }])
    expect(unit.output).toContain('starts no container that sdbridge knows how to bridge')
    leavesNothing(unit)
  })

  test('paths of the bridge stand where the command line wants them', async () => {
    const script = 'test -S "$1/notify.sock" && test "$2" = "x=$NOTIFY_SOCKET" && exit 5'
    const unit = other(['sh', '-c', script, 'sh', '{notify-directory}', 'x={notify-socket}'])
    await unit.failsToStart()
    expect(await unit.ended).toEqual([5, null])
  })

  test.each(['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT', 'SIGPIPE', 'SIGUSR1'] as const)(
    'its death by %s is the death of the unit',
    async (signal) => {
      const unit = other(payload('send:READY=1', `die:${signal.slice(3)}`))
      await unit.service.start()
      expect(await unit.ended).toEqual([null, signal])
      leavesNothing(unit)
    },
  )

  test('a death that leaves a core is an exit code, or there would be one of the bridge', async () => {
    const unit = other(payload('send:READY=1', 'die:SEGV'))
    await unit.service.start()
    expect(await unit.ended).toEqual([139, null])
  })

  test('an exit code of 128 and more is its own', async () => {
    const unit = other(payload('send:READY=1', 'exit:143'))
    await unit.service.start()
    expect(await unit.ended).toEqual([143, null])
  })

  test.each([
    ['SIGINT', 6],
    ['SIGUSR2', 2],
    [signalNumber('SIGRTMIN'), 4],
  ] as const)('%s is its to handle', async (signal, code) => {
    const unit = other(
      payload('on:USR2 exit:2', 'on:INT exit:6', 'on:RTMIN exit:4', 'send:READY=1', 'forever'),
    )
    await unit.service.start()
    process.kill(unit.pid, signal)
    expect(await unit.ended).toEqual([code, null])
  })

  test('it is killed if it does not stop', async () => {
    const unit = other(payload('on:TERM say:deaf', 'send:READY=1', 'forever'), [
      '--stop-timeout',
      '1',
    ])
    await unit.service.start()
    process.kill(unit.pid, 'SIGTERM')
    expect(await unit.ended).toEqual([null, 'SIGKILL'])
    expect(unit.output).toContain('did not end 1 s after SIGTERM, and is killed')
  })

  test('its environment says what the manager says to it, and nothing that is for the bridge', async () => {
    const own = { MAINPID: '1', INVOCATION_ID: 'abc', SYSTEMD_EXEC_PID: '9', MINE: 'kept' }
    const unit = new BridgedUnit(payload('env', 'send:READY=1'), {
      env: {
        PATH: process.env['PATH'],
        RUNTIME_DIRECTORY: ENVIRONMENT['RUNTIME_DIRECTORY'],
        ...own,
      },
      watchdogMs: 60_000,
    })
    await unit.service.start()
    await unit.ended
    const env = unit.said('ENV') as NodeJS.ProcessEnv
    expect(env).toMatchObject({ WATCHDOG_USEC: '60000000', MINE: 'kept' })
    expect(env['NOTIFY_SOCKET']).toMatch(new RegExp(`/${unit.name}/notify/notify.sock$`))
    for (const name of [
      'MAINPID',
      'INVOCATION_ID',
      'SYSTEMD_EXEC_PID',
      'WATCHDOG_PID',
      'LISTEN_FDS',
    ])
      expect(env).not.toHaveProperty(name)
  })

  test('the sockets of the unit are its own, with LISTEN_PID', async () => {
    const script = 'test "$LISTEN_PID" = $$ && test "$LISTEN_FDS" = 1 && exec "$@"'
    const unit = new BridgedUnit(
      ['sh', '-c', script, 'sh', ...tellingStart(...payload('send:READY=1', 'serve'))],
      {
        sockets: [{ listen: '127.0.0.1:0', name: 'web' }],
      },
    )
    await unit.service.start()
    const { port } = unit.service.sockets[0]!.address as AddressInfo
    expect(await text(connect({ port }))).toBe('web\n')
    expect(await unit.ended).toEqual([0, null])
    expect(startedWith(unit.output).fds).toEqual([0, 1, 2, 3])
  })

  test('with --offer-sockets they wait for the runtime that shows the request', async () => {
    const script = `path=\${SDBRIDGE_DESCRIPTORS#*@}; stat -c %a "$path"; echo "request: $SDBRIDGE_DESCRIPTORS"; exec "$@"`
    const unit = new BridgedUnit(
      ['sh', '-c', script, 'sh', ...tellingStart(...payload('env', 'send:READY=1'))],
      { sockets: [{ listen: '127.0.0.1:0', name: 'web' }], runOptions: ['--offer-sockets'] },
    )
    await unit.service.start()
    expect(await unit.ended).toEqual([0, null])
    expect(unit.output).toMatch(/^600\nrequest: [\da-f]{32}@\/\S+\/descriptors\.sock$/m)
    expect(startedWith(unit.output).fds).toEqual([0, 1, 2])
    expect(unit.said('ENV')).not.toHaveProperty('LISTEN_FDS')
    leavesNothing(unit)
  })

  test('--offer-sockets is refused where the sockets go by themselves', async () => {
    const unit = other([scriptedEngine('runc', '').file, 'run', 'web'], ['--offer-sockets'])
    await unit.failsToStart()
    expect(await unit.ended).toEqual([2, null])
    expect(unit.output).toContain(
      '--offer-sockets: expected a command that sdbridge does not know, such as docker compose, found runc run',
    )
  })

  test('it starts as systemd starts a service, whatever Node has changed', async () => {
    const unit = other(tellingStart('true'))
    await unit.failsToStart()
    const { limits, signals } = startedWith(unit.output)
    expect(limits.find((line) => line.startsWith('Max open files'))).toMatch(
      /^Max open files 1024 /,
    )
    expect(signals).toEqual(['SigBlk: 0000000000000000', 'SigIgn: 0000000000000000'])
  })

  test('it starts as the bridge was started, where a launcher has recorded that', async () => {
    const launcher = join(temporaryDirectory(), 'launcher')
    const exec = `exec '${process.execPath}' '${SDBRIDGE}' "$@"`
    writeFileSync(launcher, `#!/bin/sh\n${RECORD_START_STATE}${exec}\n`, { mode: 0o755 })
    const script = `trap '' PIPE USR2; ulimit -Sn 777; exec '${launcher}' run -- "$@"`
    const { stdout } = spawnSync('sh', ['-c', script, 'sh', ...tellingStart('true')], {
      encoding: 'utf8',
      env: ENVIRONMENT,
    })
    const { limits, signals } = startedWith(stdout)
    expect(limits.find((line) => line.startsWith('Max open files'))).toMatch(/^Max open files 777 /)
    // 13 and 12.
    expect(signals).toContain('SigIgn: 0000000000001800')
  })

  test('without a service manager it runs, and it is said that nobody listens', () => {
    const { NOTIFY_SOCKET: _, ...env } = ENVIRONMENT
    const run = sdbridge(['run', '--', ...payload('env', 'exit:4')], env)
    expect(run.status).toBe(4)
    expect(run.stderr).toContain('NOTIFY_SOCKET is not set')
    expect(run.stdout).not.toContain('NOTIFY_SOCKET')
  })

  test.each([
    [['/nonexistent/program'], 127, 'does not exist'],
    [['no-such-program-anywhere'], 127, 'is not in PATH'],
    [['/etc/passwd'], 126, 'is not a program'],
    [['docker', 'exec', 'x', 'y'], 2, 'docker exec'],
  ])('%j ends with %d', (command, code, message) => {
    const run = sdbridge(['run', '--', ...command])
    expect(run.status).toBe(code)
    expect(run.stderr).toContain(message)
    expect(run.stderr).not.toContain('    at ')
  })

  test('--print shows a command that a shell takes, and makes nothing', () => {
    // Where its private directory would be, and nobody else's is.
    const base = temporaryDirectory()
    const run = sdbridge(
      ['run', '--print', '--unit', 'p.service', 'docker', 'run', 'an image', "it's"],
      { ...ENVIRONMENT, RUNTIME_DIRECTORY: base },
    )
    expect(run.status).toBe(0)
    expect(run.stdout).toMatch(
      /^docker run .*--label io.sdbridge.unit=p.service .*'an image' 'it'\\''s'\n$/,
    )
    expect(run.stdout).toContain('NOTIFY_SOCKET=/run/notify/notify.sock')
    expect(readdirSync(base)).toEqual([])
  })

  test('a client that takes its time to create a container hears of a stop', async () => {
    // Podman's part is played, as a pull that never ends is: it has a container of no name, and an answer to what it is asked.
    const directory = temporaryDirectory()
    const file = join(directory, 'podman')
    const script = `#!/bin/sh
case "$1" in
  create) trap 'exit 7' TERM; echo pulling; for i in $(seq 600); do sleep 0.1; done ;;
  info) echo '{"host":{}}' ;;
  container) exit 1 ;;
esac
`
    writeFileSync(file, script, { mode: 0o755 })
    const env = { ...ENVIRONMENT, RUNTIME_DIRECTORY: directory, XDG_RUNTIME_DIR: directory }
    const name = `test-${process.pid}`
    const words = ['run', '--', file, 'create', '--name', name, 'image']
    const bridge = spawn(process.execPath, [SDBRIDGE, ...words], { env, stdio: 'pipe' })
    onTestFinished(() => void bridge.kill('SIGKILL'))
    const ended = once(bridge, 'exit')
    await once(bridge.stdout, 'data')
    bridge.kill('SIGTERM')
    expect(await ended).toEqual([7, null])
    for (const base of ['/run/sdbridge', join(directory, 'sdbridge')])
      expect(existsSync(join(base, 'containers', `podman-${name}`))).toBe(false)
  })

  test('a socket unit with docker is refused in one line, where docker has no runtime that fetches them', async () => {
    const { file } = scriptedEngine(
      'docker',
      `case $1 in
  context) echo '"unix:///run/docker.sock"' ;;
  info) echo '{"ServerVersion":"28.5.2","OSType":"linux","KernelVersion":"'"$(uname -r)"'","Runtimes":{"runc":{"path":"runc"}},"DefaultRuntime":"runc"}' ;;
esac`,
    )
    const unit = new BridgedUnit([file, 'run', '--rm', 'image'], {
      sockets: [{ listen: '127.0.0.1:0', name: 'web' }],
    })
    await unit.failsToStart()
    expect(await unit.ended).toEqual([125, null])
    expect(unit.output).toMatch(
      /^sdbridge: docker run: the unit has 1 socket\(s\).*web.*sdbridge runtime install --docker.*\n$/,
    )
  })

  test.each([['--senders', 'init'], ['--main-pid']])(
    '%s is refused for what has no first process that is known',
    (...option) => {
      const run = sdbridge(['run', ...option, '--', 'true'])
      expect(run.status).toBe(2)
      expect(run.stderr).toContain(option.join(' '))
    },
  )

  test.skipIf(!works('unshare', '--pid', '--cgroup', '--fork', 'true'))(
    'two runs by hand are told apart, even where both are process 1',
    () => {
      const words = [
        '--pid',
        '--cgroup',
        '--fork',
        process.execPath,
        SDBRIDGE,
        'run',
        '--print',
        '--',
      ]
      const [first, second] = [1, 2].map(
        () =>
          spawnSync('unshare', [...words, 'docker', 'run', 'image'], {
            encoding: 'utf8',
            env: ENVIRONMENT,
          }).stdout,
      )
      expect(first).toContain('--label io.sdbridge.unit=')
      expect(first).not.toBe(second)
    },
  )

  test('--main-pid is refused where it cannot work', () => {
    const asNobody = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : []
    const words = [...asNobody, process.execPath, SDBRIDGE, 'run', '--main-pid', '--', 'true']
    const run = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8', env: ENVIRONMENT })
    expect(run.status).toBe(2)
    expect(run.stderr).toContain('not root')
  })
})

function other(command: readonly string[], runOptions: readonly string[] = []): BridgedUnit {
  return new BridgedUnit(['--', ...command], { runOptions })
}

function sdbridge(
  args: readonly string[],
  env = ENVIRONMENT,
): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } {
  return spawnSync(process.execPath, [SDBRIDGE, ...args], { encoding: 'utf8', env })
}

function leavesNothing({ name }: BridgedUnit): void {
  expect(existsSync(join(BASE, name))).toBe(false)
}
