import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, isThere, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { parseContainerPid } from '../src/engines/container-pid.js'
import { parseEngineCommand } from '../src/engines/engine-command.js'
import type { BridgeFacts, Launch } from '../src/engines/launch.js'
import { planLaunch } from '../src/engines/plan-launch.js'
import { findPreparedContainer } from '../src/engines/prepared-container.js'
import { removeMountpoints } from '../src/runtime/mountpoints.js'
import { makeBundle, type SpecConfig } from './bundle.js'
import { bridgeFacts } from './engines-facts.js'

const CAN_RUN = isThere('/bin/busybox') && works('runc', '--version') && isRoot()

describe.skipIf(!CAN_RUN)('a bundle with an edited copy of its configuration, in real runc', () => {
  test('the directory is there, read-only, and the environment says so', async () => {
    const bridge = await bridgeOf(
      'echo $NOTIFY_SOCKET $WATCHDOG_USEC; cat /run/notify/hello; echo x > /run/notify/y; echo $?; grep /run/notify /proc/mounts',
      { variables: { NOTIFY_SOCKET: '/run/notify/notify.sock', WATCHDOG_USEC: '7' } },
    )
    writeFileSync(join(bridge.facts.notifyDirectory, 'hello'), 'hello from outside\n')

    const { stdout, status } = await bridge.run()

    expect(stdout).toMatch(/^\/run\/notify\/notify\.sock 7\nhello from outside\n1\n/)
    expect(stdout).toMatch(/ \/run\/notify \S+ ro,nosuid,nodev,noexec/)
    expect(status).toBe(0)
  })

  test("its exit status is the payload's", async () => {
    const bridge = await bridgeOf('exit 37')

    expect((await bridge.run()).status).toBe(37)
  })

  test("what is in the user's bundle stays as it was", async () => {
    const bridge = await bridgeOf('true')
    const before = listing(bridge.bundle)

    const launch = await bridge.plan()
    await launch.prepare()
    start(launch)
    expect(listing(bridge.bundle)).not.toEqual(before)
    await removeMountpoints(launch.mountpoints)

    expect(listing(bridge.bundle)).toEqual(before)
    expect(launch.mountpoints).toEqual(
      ['run/notify', 'run'].map((path) => join(bridge.bundle, 'rootfs', path)),
    )
  })

  test("a directory of the image's is no mountpoint of ours, and stays", async () => {
    const bridge = await bridgeOf('true')
    mkdirSync(join(bridge.bundle, 'rootfs/run/notify'), { recursive: true })

    expect((await bridge.plan()).mountpoints).toEqual([])
  })

  test('a symbolic link in the root file system is followed inside of it', async () => {
    const containerDirectory = '/srv/app/deep/notify'
    const bridge = await bridgeOf(`cat ${containerDirectory}/hello`, { containerDirectory })
    for (const name of ['srv', 'var/app'])
      mkdirSync(join(bridge.bundle, 'rootfs', name), { recursive: true })
    symlinkSync('/var/../var/app', join(bridge.bundle, 'rootfs/srv/app'))
    writeFileSync(join(bridge.facts.notifyDirectory, 'hello'), 'hello\n')
    const before = listing(bridge.bundle)

    const launch = await bridge.plan()
    await launch.prepare()
    const { stdout } = start(launch)
    await removeMountpoints(launch.mountpoints)

    expect(stdout).toBe('hello\n')
    expect(launch.mountpoints).toEqual(
      ['var/app/deep/notify', 'var/app/deep'].map((path) => join(bridge.bundle, 'rootfs', path)),
    )
    expect(listing(bridge.bundle)).toEqual(before)
  })

  test("a tmpfs of the bundle's on /run does not hide the socket", async () => {
    const bridge = await bridgeOf('ls /run/notify', {}, (config) => {
      config.mounts.push({
        destination: '/run',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid'],
      })
    })
    writeFileSync(join(bridge.facts.notifyDirectory, 'hello'), '')

    expect((await bridge.run()).stdout).toBe('hello\n')
  })

  test("relative paths are relative to the user's bundle, and hooks find its files", async () => {
    const bridge = await bridgeOf('cat /data/file', {}, (config) => {
      config.mounts.push({
        destination: '/data',
        type: 'bind',
        source: '../outside',
        options: ['rbind'],
      })
      config.hooks = {
        createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', 'cp data/file data/hook'] }],
      }
    })
    mkdirSync(join(bridge.bundle, 'data'))
    writeFileSync(join(bridge.bundle, 'data/file'), 'data\n')
    mkdirSync(join(bridge.directory, 'outside'))
    writeFileSync(join(bridge.directory, 'outside/file'), 'outside\n')

    const { stdout, stderr } = await bridge.run()

    expect(stderr).toBe('')
    expect(stdout).toBe('outside\n')
    expect(readFileSync(join(bridge.bundle, 'data/hook'), 'utf8')).toBe('data\n')
  })

  test('numbers that JavaScript cannot hold, and fields that nobody knows, stay', async () => {
    const bridge = await bridgeOf('ulimit -f; ulimit -n')
    const file = join(bridge.bundle, 'config.json')
    const text = readFileSync(file, 'utf8').replace(/"rlimits": \[[^\]]*\]/, () =>
      [
        '"rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 77, "soft": 77 },',
        '{ "type": "RLIMIT_FSIZE", "hard": 18446744073709551615, "soft": 18446744073709551615 }],',
        '"futureField": [1.0, 1e3, 9007199254740993, "9007199254740993", "\\u0041\\"12"]',
      ].join(' '),
    )
    writeFileSync(file, text)

    const { stdout, stderr } = await bridge.run()

    expect(stderr).toBe('')
    expect(stdout).toBe('unlimited\n77\n')
    const copy = readFileSync(join(bridge.facts.privateDirectory, 'bundle/config.json'), 'utf8')
    expect(copy.match(/18446744073709551615/g)).toHaveLength(2)
    expect(copy.replaceAll(/\s/g, '')).toContain(
      '"futureField":[1.0,1e3,9007199254740993,"9007199254740993","A\\"12"]',
    )
  })

  test('the copy is for its owner alone', async () => {
    const bridge = await bridgeOf('true')
    await (await bridge.plan()).prepare()

    const copy = join(bridge.facts.privateDirectory, 'bundle')
    expect(statSync(copy).mode & 0o777).toBe(0o700)
    expect(statSync(join(copy, 'config.json')).mode & 0o777).toBe(0o600)
  })

  test('descriptors are passed on, with their names', async () => {
    const bridge = await bridgeOf(
      'echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3; cat <&4; ls /proc/self/fd | wc -l',
      { fdNames: ['first', 'second'] },
    )
    const files = ['one\n', 'two\n'].map((text, index) => {
      const file = join(bridge.bundle, `file-${String(index)}`)
      writeFileSync(file, text)
      const fd = openSync(file, 'r')
      onTestFinished(() => closeSync(fd))
      return fd
    })

    const { stdout, stderr } = await bridge.run(files)

    expect(stderr).toBe('')
    // 0, 1, 2, the two, and the one that ls reads the directory with.
    expect(stdout).toBe('2 1 first:second\none\ntwo\n6\n')
  })

  test('what a configuration says of NOTIFY_SOCKET is replaced, and of a watchdog kept', async () => {
    const variables = { NOTIFY_SOCKET: '/run/notify/notify.sock', WATCHDOG_USEC: '7' }
    const bridge = await bridgeOf('echo $NOTIFY_SOCKET $WATCHDOG_USEC', { variables }, (config) => {
      config.process.env.push('NOTIFY_SOCKET=/theirs', 'WATCHDOG_USEC=5')
    })

    const launch = await bridge.plan()
    await launch.prepare()

    expect(start(launch).stdout).toBe('/run/notify/notify.sock 5\n')
    expect(launch.warnings).toEqual([expect.stringContaining('NOTIFY_SOCKET=/theirs')])
  })

  test('a configuration as runc spec writes it wants a terminal, and that is said', async () => {
    const bridge = await bridgeOf('true', {}, (config) => {
      config.process.terminal = true
    })
    const launch = await bridge.plan()
    await launch.prepare()

    expect(launch.warnings).toEqual([expect.stringContaining('process.terminal')])
    expect(start(launch).stderr).not.toBe('')
  })

  test('a bundle that has files of all names', async () => {
    const bridge = await bridgeOf('echo fine')
    for (const name of ['config.json.new', 'config.json~', '.hidden', '-rf', 'bundle'])
      writeFileSync(join(bridge.bundle, name), name)

    expect((await bridge.run()).stdout).toBe('fine\n')
    expect(readFileSync(join(bridge.bundle, 'config.json.new'), 'utf8')).toBe('config.json.new')
    // Again, over what is there.
    expect((await bridge.run()).stdout).toBe('fine\n')
  })

  test('without a pid namespace the payload is not process 1, and that is said', async () => {
    const bridge = await bridgeOf('true', { fdNames: ['a'] }, (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid')
    })

    expect((await bridge.plan()).warnings).toEqual([expect.stringContaining('LISTEN_PID')])
  })

  test('--detach is left out, for the exit status', async () => {
    const bridge = await bridgeOf('exit 5', {}, undefined, ['-d'])
    const launch = await bridge.plan()
    await launch.prepare()

    expect(launch.detached).toBe(false)
    expect(launch.warnings).toEqual([expect.stringContaining('--detach')])
    expect(start(launch).status).toBe(5)
  })

  test('the stop signal of the image, and SIGKILL', async () => {
    const bridge = await bridgeOf('true', {}, (config) => {
      config.annotations = { 'org.opencontainers.image.stopSignal': 'SIGQUIT' }
    })
    const { container } = await bridge.plan()

    expect(container.stop(10).map(({ args }) => args.slice(-3))).toEqual([
      ['kill', bridge.id, '3'],
      ['kill', bridge.id, '9'],
    ])
  })

  test('a cgroup below the unit, unless the bundle or systemd has its own', async () => {
    const bridge = await bridgeOf('true', { cgroupParent: '/unit.service/container' })
    const pathOf = async (command: string[]): Promise<unknown> => {
      const parsed = parseEngineCommand(command)
      if (parsed === undefined) throw new Error('not understood')
      await (await planLaunch(parsed, bridge.facts)).prepare()
      const copy = join(bridge.facts.privateDirectory, 'bundle/config.json')
      return (JSON.parse(readFileSync(copy, 'utf8')) as SpecConfig).linux.cgroupsPath
    }

    expect(await pathOf(['runc', 'run', '-b', bridge.bundle, 'x'])).toBe(
      '/unit.service/container/x',
    )
    expect(
      await pathOf(['runc', '--systemd-cgroup', 'run', '-b', bridge.bundle, 'x']),
    ).toBeUndefined()
    makeChange(bridge.bundle, (config) => {
      config.linux.cgroupsPath = '/mine'
    })
    expect(await pathOf(['runc', 'run', '-b', bridge.bundle, 'x'])).toBe('/mine')
  })

  test('a container in a user namespace, whose root may not enter the private directory', async () => {
    const bridge = await bridgeOf('cat /run/notify/hello; cat /proc/self/uid_map', {}, (config) => {
      config.linux.namespaces.push({ type: 'user' })
      config.linux['uidMappings'] = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
      config.linux['gidMappings'] = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
    })
    writeFileSync(join(bridge.facts.notifyDirectory, 'hello'), 'hello\n')
    chmodSync(bridge.bundle, 0o755)
    chmodSync(bridge.directory, 0o711)
    // Where runc shall make mountpoints, they are there: the mapped root may not.
    mkdirSync(join(bridge.bundle, 'rootfs/run/notify'), { recursive: true })

    const { stdout, stderr } = await bridge.run()

    expect(stderr).toBe('')
    expect(stdout).toMatch(/^hello\n\s+0\s+100000\s+65536\n$/)
  })

  test('created, and started later from what create has prepared', async () => {
    const bridge = await bridgeOf('echo started', {}, (config) => {
      config.annotations = { 'org.opencontainers.image.stopSignal': 'SIGINT' }
    })
    const create = await bridge.plan('create')
    await create.prepare()
    // Its standard streams are the container's, to which a pipe would have to stay open.
    const log = openSync(join(bridge.directory, 'log'), 'w')
    expect(
      spawnSync(create.file, create.args, { stdio: ['ignore', log, log], env: env() }).status,
    ).toBe(0)
    closeSync(log)
    onTestFinished(() => void spawnSync(create.container.remove.file, create.container.remove.args))

    const state = spawnSync(create.container.pid.file, create.container.pid.args, {
      encoding: 'utf8',
    })
    const pid = Number(readFileSync(create.container.pidFile ?? '', 'utf8'))
    expect(parseContainerPid(state.stdout)).toBe(pid)
    const command = parseEngineCommand(['runc', '--root', bridge.root, 'start', bridge.id])
    if (command === undefined) throw new Error('not understood')
    const prepared = await findPreparedContainer(command, process.env)
    expect(prepared).toEqual({
      notifyDirectory: bridge.facts.notifyDirectory,
      stopSignal: 'SIGINT',
      hasInit: false,
    })

    const launch = await planLaunch(command, bridge.facts, prepared)
    expect(launch.detached).toBe(true)
    expect(launch.container.stop(1)[0]?.args.at(-1)).toBe('2')
    expect(start(launch).status).toBe(0)
    await expect
      .poll(() => readFileSync(join(bridge.directory, 'log'), 'utf8'), { timeout: 20_000 })
      .toBe('started\n')
  })

  test('start of a container that was created otherwise', async () => {
    const command = parseEngineCommand(['runc', 'start', 'sdbridge-no-such-container'])
    if (command === undefined) throw new Error('not understood')

    await expect(findPreparedContainer(command, process.env)).rejects.toMatchObject({
      code: 'ERR_ENGINE_NOT_PREPARED',
      message: expect.stringContaining('sdbridge-no-such-container') as string,
    })
  })

  test('removing what is not there', async () => {
    const { container } = await (await bridgeOf('true')).plan()

    expect(spawnSync(container.remove.file, container.remove.args).status).toBe(0)
  })
})

describe.skipIf(!CAN_RUN)('a bundle that cannot be used', () => {
  test('refused: something else is mounted where the socket goes', async () => {
    const bridge = await bridgeOf('true', {}, (config) => {
      config.mounts.push({ destination: '/run/notify/', type: 'tmpfs', source: 'tmpfs' })
    })

    await expect(bridge.plan()).rejects.toMatchObject({ code: 'ERR_ENGINE_OPTION' })
  })

  test('refused: --preserve-fds', async () => {
    const bridge = await bridgeOf('true', {}, undefined, ['--preserve-fds=1'])

    await expect(bridge.plan()).rejects.toMatchObject({ code: 'ERR_ENGINE_OPTION' })
  })

  test.each(['', '[]', '{"a":', 'null'])('refused: config.json is %j', async (text) => {
    const bridge = await bridgeOf('true')
    writeFileSync(join(bridge.bundle, 'config.json'), text)

    await expect(bridge.plan()).rejects.toMatchObject({
      code: 'ERR_ENGINE_BUNDLE',
      message: expect.stringContaining(bridge.bundle) as string,
    })
  })

  test('refused: no bundle there', async () => {
    const command = parseEngineCommand(['runc', 'run', '-b', '/nonexistent', 'x'])
    if (command === undefined) throw new Error('not understood')

    await expect(planLaunch(command, bridgeFacts())).rejects.toMatchObject({
      code: 'ERR_ENGINE_BUNDLE',
    })
  })

  test('refused: a read-only file system without the mountpoint', async () => {
    const bridge = await bridgeOf('true')
    const rootfs = join(bridge.bundle, 'rootfs')
    const mounted = spawnSync('sh', [
      '-c',
      `mount --bind ${rootfs} ${rootfs} && mount -o remount,ro,bind ${rootfs}`,
    ])
    onTestFinished(() => void spawnSync('umount', [rootfs]))
    expect(mounted.status).toBe(0)

    await expect(bridge.plan()).rejects.toMatchObject({
      code: 'ERR_ENGINE_BUNDLE',
      message: expect.stringContaining('--container-directory') as string,
    })
  })
})

interface Bridge {
  /** All of it. */
  directory: string
  bundle: string
  root: string
  id: string
  facts: BridgeFacts
  plan(verb?: string): Promise<Launch>
  run(fds?: number[]): Promise<SpawnSyncReturns<string>>
}

async function bridgeOf(
  script: string,
  changes: Partial<BridgeFacts> = {},
  change?: (config: SpecConfig) => void,
  options: string[] = [],
): Promise<Bridge> {
  const directory = temporaryDirectory()
  const bundle = makeBundle(join(directory, 'bundle'), script, change)
  const notifyDirectory = join(directory, 'private', 'notify')
  mkdirSync(notifyDirectory, { recursive: true, mode: 0o755 })
  chmodSync(join(directory, 'private'), 0o700)
  const facts = bridgeFacts({
    notifyDirectory,
    privateDirectory: join(directory, 'private'),
    ...changes,
  })
  const root = join(directory, 'state')
  const id = `sdbridge-${randomBytes(6).toString('hex')}`
  const plan = async (verb = 'run'): Promise<Launch> => {
    const argv = ['runc', '--root', root, verb, ...options, '--bundle', bundle, id]
    const command = parseEngineCommand(argv)
    if (command === undefined) throw new Error(`not understood: ${argv.join(' ')}`)
    return await planLaunch(command, facts)
  }
  const run = async (fds: number[] = []): Promise<SpawnSyncReturns<string>> => {
    const launch = await plan()
    await launch.prepare()
    return start(launch, fds)
  }
  return await Promise.resolve({ directory, bundle, root, id, facts, plan, run })
}

function start({ file, args, environment }: Launch, fds: number[] = []): SpawnSyncReturns<string> {
  const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, ...fds]
  return spawnSync(file, args, { stdio, encoding: 'utf8', env: { ...env(), ...environment } })
}

function env(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] }
}

function listing(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted()
}

function makeChange(bundle: string, change: (config: SpecConfig) => void): void {
  const file = join(bundle, 'config.json')
  const config = JSON.parse(readFileSync(file, 'utf8')) as SpecConfig
  change(config)
  writeFileSync(file, JSON.stringify(config))
  expect(existsSync(file)).toBe(true)
}
