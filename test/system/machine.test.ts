import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { Machine } from './machine/machine.js'
import { describeOnEachSystemd } from './machines.js'
import { inside, repositoryBind, repositoryPath } from './repository.js'

const execFileAsync = promisify(execFile)
const machineModule = new URL('machine/machine.js', import.meta.url)

describeOnEachSystemd('a machine', (getMachine) => {
  test('its systemd is PID 1, and runs', async () => {
    const { stdout } = await getMachine().run('cat', ['/proc/1/comm'])
    expect(stdout).toBe('systemd\n')
    expect(await getMachine().systemctl('is-system-running')).toBe('running\n')
    expect(await getMachine().systemdVersion()).toBeGreaterThanOrEqual(252)
  })

  test('a Type=notify unit starts when it says that it is ready', async () => {
    const machine = getMachine()
    const script = 'echo starting; sleep 0.3; systemd-notify --ready --status=fine; exec sleep 1000'
    await machine.writeUnit(
      'ready.service',
      `[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c '${script}'\n`,
    )

    await machine.systemctl('start', '--no-block', 'ready')
    await machine.waitFor('ready', { ActiveState: 'activating' })
    await machine.waitFor('ready', { ActiveState: 'active', StatusText: 'fine' })

    await machine.systemctl('stop', 'ready')
    expect(await machine.show('ready', 'SubState', 'Result')).toEqual({
      SubState: 'dead',
      Result: 'success',
    })
  })

  test('a drop-in is taken into account', async () => {
    const machine = getMachine()
    await machine.writeUnit('plain.service', '[Service]\nExecStart=/bin/sleep 1000\n')
    await machine.writeUnit('plain.service.d/name.conf', '[Unit]\nDescription=From the drop-in\n')
    const { Description } = await machine.show('plain', 'Description')
    expect(Description).toBe('From the drop-in')
  })

  test('the output of a service, whoever it runs as, is kept apart from the log', async () => {
    const machine = getMachine()
    const script = 'echo to stdout; echo "<4>to stderr" >&2'
    await machine.run('systemd-run', [
      ...['--unit=talks', '-pDynamicUser=yes', '-pType=oneshot', 'sh', '-c', script],
    ])
    await machine.waitForOutput('talks', 'to stderr')
    expect(machine.output('talks.service')).toBe('to stdout\nto stderr\n')
    await machine.waitForLog('talks.service: Deactivated successfully.')
    expect(await machine.log()).not.toMatch(/^to stdout/m)
  })

  test('why the manager refused a notification is in its log', async () => {
    const machine = getMachine()
    // Later versions explain it at this level only.
    await machine.systemctl('log-level', 'debug')
    // systemd-notify speaks for its parent, which is not the main process here.
    const script = '(systemd-notify --status=from-a-child; true) & wait; exec sleep 1000'
    await machine.run('systemd-run', [
      ...['--unit=refused', '-pNotifyAccess=main', 'sh', '-c', script],
    ])
    await machine.waitForLog('reception only permitted for main PID')
    await machine.systemctl('log-level', 'info')
    expect(await machine.show('refused', 'StatusText')).toEqual({ StatusText: '' })
  })

  test('a socket unit on a path and on a port starts a service written for node', async () => {
    const machine = getMachine()
    const program = `
      import { createServer } from 'node:net'
      for (const fd of [3, 4]) {
        createServer((socket) => socket.end(process.env.LISTEN_FDNAMES)).listen({ fd })
      }`
    await writeFile(machine.path('/srv/echo.mjs'), program)
    await machine.writeUnit(
      'echo.service',
      `[Service]\nExecStart=${machine.nodePath} /srv/echo.mjs\n`,
    )
    await machine.writeUnit(
      'echo.socket',
      '[Socket]\nListenStream=127.0.0.1:8080\nListenStream=/run/echo.sock\n' +
        'FileDescriptorName=echo\n',
    )
    await machine.systemctl('start', 'echo.socket')
    expect(await machine.show('echo.service', 'ActiveState')).toEqual({ ActiveState: 'inactive' })

    expect(await text(connect(machine.path('/run/echo.sock')))).toBe('echo:echo')

    const client = "process.stdin.pipe(require('node:net').connect(8080)).pipe(process.stdout)"
    const { stdout } = await machine.run(machine.nodePath, ['-e', client], { input: '' })
    expect(stdout).toBe('echo:echo')
    await machine.waitFor('echo.service', { ActiveState: 'active' })
  })

  test('systemd-run --wait --pipe, which needs a message bus', async () => {
    const { stdout } = await getMachine().run('systemd-run', [
      ...['--quiet', '--wait', '--pipe', 'cat', '/proc/self/cgroup'],
    ])
    expect(stdout).toMatch(/^0::\/system\.slice\/run-.*\.service$/m)
  })

  test('a command fails with its exit code and what it said', async () => {
    const machine = getMachine()
    const script = ['-c', 'cat; echo problem >&2; exit 3']
    await expect(machine.run('sh', script)).rejects.toThrow(
      /: sh -c cat; .*: exit code 3\nproblem\n$/,
    )
    expect(await machine.run('sh', script, { input: 'text', allowFailure: true })).toEqual({
      stdout: 'text',
      stderr: 'problem\n',
      exitCode: 3,
    })
  })

  test('a command that takes too long is killed, with its children', async () => {
    const machine = getMachine()
    const script = 'sleep 1234 & wait'
    await expect(machine.run('sh', ['-c', script], { timeoutMs: 100 })).rejects.toThrow(
      /sleep 1234 & wait: killed after 100 ms/,
    )
    const { stdout } = await machine.run('ps', ['-e', '-o', 'args='])
    expect(stdout).not.toContain('sleep 1234')
  })

  test('a command that was spawned gets signals', async () => {
    const script = 'trap "echo ended well; exit 3" TERM; echo up; while :; do sleep 0.05; done'
    const child = getMachine().spawn('sh', ['-c', script])
    await once(child.stdout, 'data')
    child.kill('SIGTERM')
    const [[exitCode], output] = await Promise.all([once(child, 'close'), text(child.stdout)])
    expect({ exitCode, output }).toEqual({ exitCode: 3, output: 'ended well\n' })
  })

  test('a command has a cgroup of the machine', async () => {
    const { stdout } = await getMachine().run('cat', ['/proc/self/cgroup'])
    expect(stdout).toMatch(/^0::\/commands$/m)
  })

  test('what is waited for in vain is explained', async () => {
    const machine = getMachine()
    await machine.run('systemd-run', ['--unit=fails', 'sh', '-c', 'echo it broke; exit 7'])
    await machine.waitForOutput('fails', 'it broke')
    const waiting = machine.waitFor('fails', { ActiveState: 'active' }, { timeoutMs: 200 })
    await expect(waiting).rejects.toThrow(
      /fails did not get there[^]*"active"[^]*"failed"[^]*it broke[^]*status=7/,
    )
  })

  test('the repository is visible, and cannot be written', async () => {
    const machine = getMachine()
    const file = inside('package.json')
    const { stdout } = await machine.run('cat', [file])
    expect(stdout).toBe(readFileSync(join(repositoryPath, 'package.json'), 'utf8'))
    await expect(machine.run('touch', [file])).rejects.toThrow(/Read-only file system/)
  })

  test('nothing of this process is in its environment', async () => {
    const { stdout } = await getMachine().run('env', [], { env: { EXTRA: '1' } })
    const names = stdout.match(/^\w+(?==)/gm)?.filter((name) => !/^(PWD|SHLVL|_)$/.test(name))
    expect(names?.toSorted()).toEqual(['EXTRA', 'HOME', 'LANG', 'PATH'])
  })
})

describe.skipIf(inject('missingRequirements').length > 0)('the end of a machine', () => {
  test('halt leaves nothing', async () => {
    const machine = await Machine.boot({ binds: [repositoryBind] })
    await machine.run('systemd-run', ['sleep', '1000'])
    machine.spawn('sleep', ['1000'])
    expect(tracesOf(machine.name)).not.toEqual(NO_TRACES)

    await machine.halt()

    expect(tracesOf(machine.name)).toEqual(NO_TRACES)
    expect(await machine.log()).toContain('Reached target machine.target')
    await expect(machine.run('true')).rejects.toThrow(/has ended/)
    await machine.halt()
  })

  test('two run at the same time', async () => {
    const machines = await Promise.all([Machine.boot(), Machine.boot()])
    onTestFinished(async () => {
      await Promise.all(machines.map((machine) => machine.halt()))
    })
    const ids = await Promise.all(
      machines.map(async (machine) => (await machine.run('cat', ['/etc/machine-id'])).stdout),
    )
    expect(new Set(ids).size).toBe(2)
  })

  test.each<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGKILL'])(
    'the process that booted it ends by %s: nothing is left',
    async (signal) => {
      const program = `
        import { Machine } from '${machineModule.href}'
        const machine = await Machine.boot()
        console.log(machine.name)
        setInterval(() => {}, 1000)`
      const owner = spawn(process.execPath, ['--input-type=module', '--eval', program])
      onTestFinished(() => void owner.kill('SIGKILL'))
      const [line] = (await once(owner.stdout, 'data')) as [Buffer]
      const name = line.toString().trim()
      expect(tracesOf(name)).not.toEqual(NO_TRACES)

      owner.kill(signal)

      await vi.waitFor(() => expect(tracesOf(name)).toEqual(NO_TRACES), 5000)
    },
  )

  test('without a cgroup2 mount on the host a machine has its own', async () => {
    const program = `
      import { Machine } from '${machineModule.href}'
      const machine = await Machine.boot()
      console.log(machine.name, await machine.systemctl('is-system-running'))
      await machine.halt()`
    const script =
      'umount --lazy --all --types cgroup2 && exec "$0" --input-type=module --eval "$1"'
    const { stdout } = await execFileAsync('unshare', [
      ...['--mount', 'sh', '-c', script, process.execPath, program],
    ])
    expect(stdout).toMatch(/^sdbridge-machine-\w+ running$/m)
    expect(tracesOf(stdout.split(' ')[0] ?? '')).toEqual(NO_TRACES)
  })

  test.each([
    ['has no systemd', { root: '/var' }, /has ended\n.*proc/],
    ['is too slow', { timeoutMs: 0 }, /is not started after 0 ms/],
  ])('a machine that %s says so, and leaves nothing', async (_, options, message) => {
    const error = await Machine.boot(options).catch((reason: unknown) => reason)
    expect(String(error)).toMatch(message)
    const [name = ''] = /sdbridge-machine-\w+/.exec(String(error)) ?? []
    expect(name).not.toBe('')
    expect(tracesOf(name)).toEqual(NO_TRACES)
  })

  test('a machine whose systemd ends', async () => {
    const machine = await Machine.boot()
    await machine.run('systemctl', ['poweroff', '--force', '--force'], { allowFailure: true })
    await vi.waitFor(() => expect(machine.run('true')).rejects.toThrow(/has ended/), 5000)
    expect(tracesOf(machine.name)).toEqual(NO_TRACES)
    await machine.halt()
  })
})

const NO_TRACES = { processes: [], mounts: [], cgroups: [], folders: [] }

/** What there is of a machine on the host. */
function tracesOf(name: string) {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
  const hierarchies = mounts
    .filter((line) => line.split(' ')[2] === 'cgroup2')
    .map((line) => line.split(' ')[1] ?? '')
  return {
    processes: execFileSync('ps', ['-e', '-o', 'pid=,args='], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(name)),
    mounts: mounts.filter((line) => line.includes(name)),
    cgroups: hierarchies.flatMap((path) => readdirSync(path)).filter((entry) => entry === name),
    folders: readdirSync(tmpdir()).filter((entry) => entry === name),
  }
}
