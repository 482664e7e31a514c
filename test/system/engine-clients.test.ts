import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { unitWords } from '../../packages/oci-shim/src/cli/unit-words.js'
import { parseContainerPid } from '../../packages/oci-shim/src/engines/container-pid.js'
import {
  type EngineCommand,
  parseEngineCommand,
} from '../../packages/oci-shim/src/engines/engine-command.js'
import type { EngineReport } from '../../packages/oci-shim/src/engines/engine-problem.js'
import type { BridgeFacts, Command, Launch } from '../../packages/oci-shim/src/engines/launch.js'
import { planLaunch } from '../../packages/oci-shim/src/engines/plan-launch.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { Machine } from './machine/machine.js'
import type { Outcome } from './machine/outcome.js'
import { inside, repositoryBind } from './repository.js'

// The reason was printed by global-setup.ts, which also fails where nothing may be skipped.
const root = inject('newestRoot')

let machine: Machine

beforeAll(async () => {
  if (root === undefined) return
  machine = await Machine.boot({ root, binds: [repositoryBind] })
  await startEngines()
}, 120_000)

afterAll(async () => {
  await machine?.halt()
})

const FACTS: BridgeFacts = {
  notifyDirectory: '/run/bridge/notify',
  containerDirectory: '/run/notify',
  privateDirectory: '/run/bridge',
  variables: { NOTIFY_SOCKET: '/run/notify/notify.sock', WATCHDOG_USEC: '3000000', FDSTORE: '2' },
  fdNames: [],
  unit: 'web.service',
  containerName: 'sdbridge-web.service',
  cgroupParent: undefined,
  selinux: false,
  request: undefined,
  systemd: false,
  isClientMain: false,
}

describe.skipIf(root === undefined)(
  'the real client takes the command line as it was planned',
  () => {
    // What it says when it has understood all options: there is no such image, or bundle.
    const UNDERSTOOD = {
      docker:
        /No such image|Unable to find image|reference does not exist|pull access denied|Error response from daemon/i,
      podman: /image not known|did not resolve to an alias/i,
      runc: /config\.json|no such file/i,
      crun: /config\.json|No such file/i,
    }
    const NOT_UNDERSTOOD =
      /unknown (?:shorthand )?flag|flag needs an argument|flag provided but not defined|unrecognized option|invalid option|invalid argument|Incorrect Usage/i

    test.each([
      'docker run none',
      'docker --log-level error run -itd --rm -e A=1 -eB=2 -e=C=3 -p80:80 none sh -d',
      'docker container run --restart no -d=false --sig-proxy=true --init --gpus all none',
      'docker run -e NOTIFY_SOCKET -ie WATCHDOG_USEC none',
      'docker run -d --rm --name x --cidfile /tmp/x none',
      'docker run --tmpfs /run -v /srv:/run:ro --mount type=tmpfs,dst=/x none',
      'docker create --pull never --init=false none',
      'podman run none',
      'podman --log-level=error run --root /var/lib/other -itd --rm -e A=1 --tls-verify=false none sh',
      'podman container run --sdnotify=conmon --replace --name x none',
      'podman run --sdnotify ignore --cgroups=split --read-only-tmpfs=false none',
      'podman run -d --rm --pull never none',
      'podman create --init-ctr always --pod x none',
      'runc run -b BUNDLE web',
      'runc --root /run/other run web --no-pivot -d --bundle BUNDLE',
      'runc -debug create -bundle=BUNDLE web --no-new-keyring',
      'crun run --bun BUNDLE web',
      'crun --cgroup-manager=disabled run -db BUNDLE web',
      'crun create --pid-file /tmp/x -bBUNDLE web',
    ])('%s', async (text) => {
      for (const changes of [{}, { selinux: true, cgroupParent: '/x' }, { fdNames: ['a', 'b'] }]) {
        const command = commandOf(text.replace('BUNDLE', await emptyBundle()))
        const launch = await planLaunch(command, { ...FACTS, ...changes })
        // Nothing is to be fetched: there is nowhere to fetch it from.
        const { stderr } = await machine.run(launch.file, [...launch.args], { allowFailure: true })

        expect(stderr).not.toMatch(NOT_UNDERSTOOD)
        expect(stderr).toMatch(UNDERSTOOD[command.engine as keyof typeof UNDERSTOOD])
      }
    })

    test.each(['docker run --nonsense x none', 'podman run -Z none', 'crun run --nonsense web'])(
      'and would say so if it had not: %s',
      async (text) => {
        const [file = '', ...args] = text.split(' ')
        const { stderr } = await machine.run(file, args, { allowFailure: true })

        expect(stderr).toMatch(NOT_UNDERSTOOD)
      },
    )
  },
)

describe.skipIf(root === undefined)(
  "what is done with a container, by its engine's commands",
  () => {
    test.each(['docker', 'podman'])('%s run -d', async (engine) => {
      const launch = await planOf(`${engine} run -d --network none busybox sleep 1000`)
      const { container } = launch
      await run(launch)

      expect(parseContainerPid((await run(container.pid)).stdout)).toBeGreaterThan(1)
      expect((await run(container.list)).stdout.trim()).toMatch(/^[0-9a-f]{64}$/)
      expect(await read(container.idFile)).toMatch(/^[0-9a-f]{64}$/)
      const waiting = run(container.wait)
      await run(container.stop(1)[0])
      // busybox as process 1 takes no SIGTERM that it does not ask for.
      expect((await waiting).stdout.trim()).toBe('137')
      expect(parseContainerPid((await run(container.pid)).stdout)).toBeUndefined()
      await run(container.remove)
      expect((await run(container.list)).stdout).toBe('')
      // There is none any more.
      await run(container.remove)
    })

    test.each(['docker', 'podman'])(
      '%s run -d --rm keeps the exit code, and what was written',
      async (engine) => {
        const command = [
          ...`${engine} run -d --rm --network none busybox sh -c`.split(' '),
          'echo out; exit 7',
        ]
        const { container, ...launch } = await planOf(command)
        await run(launch)

        expect((await run(container.wait)).stdout.trim()).toBe('7')
        expect((await run(container.logs)).stdout).toBe('out\n')
        await run(container.remove)
        expect((await run(container.list)).stdout).toBe('')
      },
    )

    test.each(['docker', 'podman'])(
      '%s run: exit code and output are those of the client',
      async (engine) => {
        const { container, ...launch } = await planOf([
          ...`${engine} run --rm --network none busybox sh -c`.split(' '),
          'echo $NOTIFY_SOCKET $FDSTORE; cat /run/notify/hello; echo x > /run/notify/y; exit 7',
        ])

        expect(await run(launch, 7)).toMatchObject({
          stdout: '/run/notify/notify.sock 2\nhello\n',
          stderr: expect.stringContaining('Read-only file system') as string,
        })
        expect((await run(container.list)).stdout).toBe('')
      },
    )

    test.each(['docker', 'podman'])(
      '%s create, and start from what it has prepared',
      async (engine) => {
        const create = await planOf(
          `${engine} create --network none --name later busybox cat /run/notify/hello`,
        )
        await run(create)
        const result = await machine.run(machine.nodePath, [
          ...[
            '--input-type=module',
            '--eval',
            FIND_PREPARED,
            inside('packages/oci-shim/dist/engines/'),
          ],
          ...[engine, 'start', 'later'],
        ])

        expect(JSON.parse(result.stdout)).toEqual({
          notifyDirectory: '/run/bridge/notify',
          hasInit: false,
        })
        const { container, ...launch } = await planOf(`${engine} start later`)
        const { stdout } = await run(launch)
        expect((await run(container.wait)).stdout.trim()).toBe('0')
        expect(launch.detached ? (await run(container.logs)).stdout : stdout).toContain('hello\n')
        await run(container.remove)
      },
    )

    test('of an image with a stop signal, that one comes', async () => {
      for (const engine of ['docker', 'podman']) {
        const { container, ...launch } = await planOf([
          ...`${engine} run -d --network none --stop-signal QUIT busybox sh -c`.split(' '),
          'trap "echo quit; exit 3" QUIT; trap "exit 4" TERM; echo up; while :; do sleep 1 & wait; done',
        ])
        await run(launch)
        await expect
          .poll(
            async () => (await run({ ...container.wait!, args: ['logs', container.name] })).stdout,
            { timeout: 30_000 },
          )
          .toBe('up\n')
        const waiting = run(container.wait)
        await run(container.stop(20)[0])

        expect((await waiting).stdout.trim()).toBe('3')
        await run(container.remove)
      }
    })

    test('podman hands descriptors on, with their names', async () => {
      const launch = await planOf(
        [
          'podman',
          'run',
          '--rm',
          '--network',
          'none',
          'busybox',
          'sh',
          '-c',
          'echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3; cat <&4',
        ],
        { fdNames: ['first', 'second'] },
      )
      // LISTEN_PID is that of the process which becomes podman.
      const script = 'exec 3<<<one 4<<<two; LISTEN_PID=$$ exec "$@"'
      const { stdout } = await machine.run(
        'bash',
        ['-c', script, 'bash', launch.file, ...launch.args],
        {
          env: { ...launch.environment },
        },
      )

      expect(stdout).toBe('2 1 first:second\none\ntwo\n')
    })

    test.each(['runc', 'crun'])('%s hands descriptors on, with their names', async (engine) => {
      const bundle = await realBundle(
        engine,
        'echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3; cat <&4; cat /run/notify/hello; exit 7',
      )
      const argv = [
        engine,
        ...(engine === 'crun' ? ['--cgroup-manager=disabled'] : []),
        'run',
        '-b',
        bundle,
        'descriptors',
      ]
      const facts = { ...FACTS, fdNames: ['first', 'second'] }
      const script = 'exec 3<<<one 4<<<two; exec "$@"'
      const runIt = [
        machine.nodePath,
        '--input-type=module',
        '--eval',
        RUN_LAUNCH,
        inside('packages/oci-shim/dist/engines/'),
      ]
      const { stdout, exitCode } = await machine.run(
        'bash',
        ['-c', script, 'bash', ...runIt, JSON.stringify(facts), ...argv],
        { allowFailure: true },
      )

      expect({ stdout, exitCode }).toEqual({
        stdout: '2 1 first:second\none\ntwo\nhello\n',
        exitCode: 7,
      })
    })

    test.each(['docker', 'podman'])(
      "%s: memory of the user's on /run does not hide the socket",
      async (engine) => {
        const { container, ...launch } = await planOf(
          `${engine} run --rm --network none --tmpfs /run busybox cat /run/notify/hello`,
        )

        expect((await run(launch)).stdout).toBe('hello\n')
        await run(container.remove)
      },
    )

    test('a container below the unit', async () => {
      const path = '/bridge-test/container'
      const docker = await planOf(
        'docker run --rm --network none --cgroupns host busybox cat /proc/self/cgroup',
        { cgroupParent: path },
      )

      expect((await run(docker)).stdout).toContain(`${path}/`)
    })
  },
)

describe.skipIf(root === undefined)('what an engine says of itself', () => {
  test('dockerd, with live-restore', async () => {
    const report = await examine('docker run img')
    expect(report).toMatchObject({
      warnings: [expect.stringContaining('live-restore')],
      cgroupDriver: 'cgroupfs',
      defaultRuntime: 'runc',
      annotates: true,
    })
    expect(report.problem).toBeUndefined()
  })

  test('podman', async () => {
    const report = await examine('podman run img')
    expect(report).toMatchObject({ warnings: [], cgroupDriver: 'cgroupfs' })
    expect(report.problem).toBeUndefined()
  })

  test.each([
    ['docker -H tcp://192.0.2.1:2375 run img', {}, 'remote', 'tcp://192.0.2.1:2375'],
    ['docker --host=ssh://root@192.0.2.1 run img', {}, 'remote', 'ssh://root@192.0.2.1'],
    ['docker run img', { DOCKER_HOST: 'tcp://192.0.2.1:2375' }, 'remote', 'tcp://192.0.2.1:2375'],
    ['docker run img', { DOCKER_CONTEXT: 'far' }, 'remote', 'tcp://192.0.2.9:2375'],
    ['docker --context far run img', {}, 'remote', 'tcp://192.0.2.9:2375'],
    ['docker -c nonexistent run img', {}, 'unreachable', 'nonexistent'],
    ['docker -H unix:///nonexistent.sock run img', {}, 'unreachable', '/nonexistent.sock'],
    ['docker -H unix:///run/silent.sock run img', {}, 'unreachable', 'no answer in 3 s'],
    ['podman --remote run img', {}, 'remote', '--remote'],
    ['podman --url unix:///run/podman.sock run img', {}, 'remote', '--url'],
    ['podman run img', { CONTAINER_HOST: 'unix:///run/podman.sock' }, 'remote', 'CONTAINER_HOST'],
    ['/srv/podman/docker run img', {}, 'other-engine', 'podman'],
  ])('%s %j: %s, in one line', async (text, env, code, found) => {
    const { problem } = await examine(text, env)

    expect(problem).toMatchObject({ code, message: expect.stringContaining(found) as string })
    expect(problem?.message).not.toContain('\n')
  })

  test('one that is not there is for the start to find', async () => {
    const report = await examine('/nonexistent/docker run img')
    expect(report.problem).toBeUndefined()
    expect(report.warnings).toEqual([])
  })
})

describe.skipIf(root === undefined)('a unit as sdbridge unit prints it', () => {
  const READY =
    'systemd-notify --ready --status=here && trap "exit 0" TERM && while :; do sleep 1 & wait; done'

  test.each(['docker', 'podman', 'runc', 'crun'])(
    '%s: active when the payload says so, and nothing is left',
    async (engine) => {
      const isRuntime = engine === 'runc' || engine === 'crun'
      const what = isRuntime ? [await realBundle(engine, READY)] : ['busybox', 'sh', '-c', READY]
      const script = inside('packages/oci-shim/bin/sdbridge.js')
      const { stdout } = await machine.run(machine.nodePath, [
        script,
        'unit',
        '--engine',
        engine,
        '--name',
        `unit-${engine}`,
        ...what,
      ])
      // There is no network here.
      const text = stdout.replace('--log-driver=none', '--log-driver=none --network none')
      await machine.writeUnit(`unit-${engine}.service`, text)

      await machine.run('systemctl', ['start', `unit-${engine}`], {
        timeoutMs: 60_000,
        allowFailure: true,
      })
      await machine.waitFor(`unit-${engine}.service`, {
        ActiveState: 'active',
        StatusText: 'here',
        Result: 'success',
      })
      await machine.run('systemctl', ['stop', `unit-${engine}`], { timeoutMs: 60_000 })

      await machine.waitFor(`unit-${engine}.service`, {
        ActiveState: 'inactive',
        Result: 'success',
      })
      const list = isRuntime ? ['list', '--quiet'] : ['ps', '--all', '--quiet']
      expect((await machine.run(engine, list)).stdout).toBe('')
      expect(
        (
          await machine.run('find', [
            '/run',
            '-maxdepth',
            '2',
            '-name',
            '*unit-*',
            '-path',
            '*sdbridge*',
          ])
        ).stdout,
      ).toBe('')
    },
  )
})

test.skipIf(root === undefined)('systemd takes words of a command as they were meant', async () => {
  const words = [
    'x y',
    '$HOME',
    '${HOME}',
    '%n',
    '"quoted"',
    "it's",
    'a\\b',
    'tab\there',
    '#',
    ';',
    '',
    'ü',
    '-',
    '\\;',
  ]
  const print = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))'
  await machine.writeUnit(
    'words.service',
    `[Service]\nType=oneshot\nExecStart=${unitWords([machine.nodePath, '--eval', print, '--', ...words])}\n`,
  )
  await machine.systemctl('start', 'words')

  await machine.waitForOutput('words', JSON.stringify(words))
})

const MAKE_IMAGE = `
set -e
mkdir -p /srv/image/{usr/{bin,lib,lib64},run,tmp,proc,sys,dev}
cd /srv/image
for name in bin lib lib64; do ln -s usr/$name $name; done
cp /bin/busybox bin
for name in sh sleep cat echo; do ln -s busybox bin/$name; done
for file in /usr/bin/systemd-notify $(ldd /usr/bin/systemd-notify | grep -o '/[^ )]*') /usr/lib/*-linux-gnu/libsystemd.so.0; do
  mkdir -p .$(dirname $file)
  cp -L $file .$file
done`

const RUN_LAUNCH = `
const [directory, facts, ...argv] = process.argv.slice(1)
const { spawnSync } = await import('node:child_process')
const { parseEngineCommand } = await import(directory + 'engine-command.js')
const { planLaunch } = await import(directory + 'plan-launch.js')
const launch = await planLaunch(parseEngineCommand(argv), JSON.parse(facts))
await launch.prepare()
process.exitCode = spawnSync(launch.file, launch.args, { stdio: [0, 1, 2, 3, 4] }).status`

const FIND_PREPARED = `
const [directory, ...argv] = process.argv.slice(1)
const { parseEngineCommand } = await import(directory + 'engine-command.js')
const { findPreparedContainer } = await import(directory + 'prepared-container.js')
console.log(JSON.stringify(await findPreparedContainer(parseEngineCommand(argv), process.env)))`

function commandOf(argv: string | string[]): EngineCommand {
  const command = parseEngineCommand(typeof argv === 'string' ? argv.split(' ') : argv)
  if (command === undefined) throw new Error(`not understood: ${argv.toString()}`)
  return command
}

let counter = 0

/** Each has names and files of its own. */
async function planOf(
  argv: string | string[],
  changes: Partial<BridgeFacts> = {},
): Promise<Launch> {
  counter += 1
  const unit = `web-${String(counter)}.service`
  const privateDirectory = `/run/bridge/${String(counter)}`
  await mkdir(machine.path(privateDirectory), { recursive: true })
  const own = { unit, privateDirectory, containerName: `sdbridge-${unit}` }
  return await planLaunch(commandOf(argv), { ...FACTS, ...own, ...changes })
}

/** One to be planned with; its copy is never written, so that no runtime finds one. */
async function emptyBundle(): Promise<string> {
  const directory = temporaryDirectory()
  await writeFile(join(directory, 'config.json'), '{}')
  return directory
}

/** A bundle with the image's files, inside. */
async function realBundle(engine: string, script: string): Promise<string> {
  counter += 1
  const bundle = `/srv/bundles/${String(counter)}`
  await machine.run('sh', [
    '-c',
    'mkdir -p "$1" && cp -a /srv/image "$1/rootfs" && cd "$1" && "$0" spec',
    engine,
    bundle,
  ])
  const file = machine.path(`${bundle}/config.json`)
  const config = JSON.parse(await readFile(file, 'utf8')) as {
    process: { args: string[]; terminal: boolean }
    linux: { resources?: unknown }
  }
  config.process.args = ['/bin/sh', '-c', script]
  config.process.terminal = false
  // crun takes a configuration without cgroups only where nothing is limited.
  delete config.linux.resources
  await writeFile(file, JSON.stringify(config))
  return bundle
}

async function run(command: Command | undefined, exitCode = 0): Promise<Outcome> {
  if (command === undefined) throw new Error('there is no such command')
  const outcome = await machine.run(command.file, [...command.args], {
    allowFailure: true,
    timeoutMs: 60_000,
  })
  expect(outcome).toMatchObject({ exitCode })
  return outcome
}

async function read(file: string | undefined): Promise<string> {
  return (await machine.run('cat', [file ?? ''])).stdout
}

async function examine(text: string, env: Record<string, string> = {}): Promise<EngineReport> {
  const script = inside('test/system/fixtures/examine-engine.mjs')
  const timeoutMs = text.includes('silent') ? '3000' : '30000'
  const { stdout } = await machine.run(machine.nodePath, [script, timeoutMs, ...text.split(' ')], {
    env: { DOCKER_CONFIG: '/srv/docker-config', ...env },
    timeoutMs: 60_000,
  })
  return JSON.parse(stdout) as EngineReport
}

async function startEngines(): Promise<void> {
  const write = async (file: string, text: string): Promise<void> => {
    await mkdir(machine.path(file.replace(/\/[^/]*$/, '')), { recursive: true })
    await writeFile(machine.path(file), text)
  }
  // What this machine made of namespaces lacks.
  await write(
    '/etc/containers/containers.conf',
    '[containers]\npids_limit = 0\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
  )
  await write(
    '/etc/containers/storage.conf',
    '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n',
  )
  await write('/run/bridge/notify/hello', 'hello\n')
  await write('/srv/podman/docker', '#!/bin/sh\nexec podman "$@"\n')
  await chmod(machine.path('/srv/podman/docker'), 0o755)
  await machine.writeUnit(
    'docker.service',
    '[Service]\nType=notify\nDelegate=yes\nKillMode=process\nExecStart=/usr/sbin/dockerd --bridge=none --iptables=false --ip6tables=false --storage-driver=vfs --live-restore --exec-opt native.cgroupdriver=cgroupfs\n',
  )
  await machine.run('systemctl', ['start', 'docker'], { timeoutMs: 60_000 })
  // A socket that takes connections, and nobody who serves them.
  await machine.writeUnit(
    'silent.socket',
    '[Socket]\nListenStream=/run/silent.sock\nService=silent.service\n',
  )
  await machine.writeUnit('silent.service', '[Service]\nExecStart=/bin/sleep infinity\n')
  await machine.systemctl('start', 'silent.socket')
  await machine.run('docker', [
    '--config',
    '/srv/docker-config',
    'context',
    'create',
    'far',
    '--docker',
    'host=tcp://192.0.2.9:2375',
  ])
  await machine.run('bash', ['-c', MAKE_IMAGE])
  for (const engine of ['docker', 'podman'])
    await machine.run('bash', ['-c', 'tar -C /srv/image -c . | "$0" import - busybox', engine], {
      timeoutMs: 60_000,
    })
}
