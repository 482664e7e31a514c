import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { parseEngineCommand } from '../src/engines/engine-command.js'
import type { Launch } from '../src/engines/launch.js'
import { planLaunch } from '../src/engines/plan-launch.js'
import { readBundle } from '../src/runtime/bundle.js'
import type { JsonObject } from '../src/runtime/exact-json.js'
import { isObject } from '../src/runtime/json-values.js'
import { withSystemd } from '../src/runtime/systemd-config.js'
import { bridgeFacts } from './engines-facts.js'

const SPEC_LINUX = { namespaces: [{ type: 'pid' }] }
const SPEC = {
  root: { path: 'rootfs' },
  process: {
    env: ['A=1'],
    user: { uid: 0 },
    capabilities: { bounding: ['CAP_KILL'] },
    noNewPrivileges: true,
  },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      ...{ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' },
      options: ['nosuid', 'relatime', 'ro'],
    },
    { destination: '/run/mine', type: 'bind', source: '/x', options: ['bind'] },
  ],
  linux: SPEC_LINUX,
}

async function plan(argv: string): Promise<Launch> {
  const command = parseEngineCommand(argv.split(' '))
  if (command === undefined) throw new Error(`not understood: ${argv}`)
  return await planLaunch(
    command,
    bridgeFacts({
      systemd: true,
      containerDirectory: '/run/host',
      variables: { NOTIFY_SOCKET: '/run/host/notify' },
      privateDirectory: temporaryDirectory(),
    }),
  )
}

async function line(argv: string): Promise<string> {
  return (await plan(argv)).args.join(' ')
}

const DOCKER =
  '--cgroupns=private --stop-signal=SIGRTMIN+3 --security-opt writable-cgroups=true ' +
  '--tmpfs /run:exec,mode=755 --tmpfs /run/lock:exec,mode=1777 --tmpfs /tmp:exec,mode=1777 --env container=docker'
const PODMAN = '--cgroupns=private --stop-signal=SIGRTMIN+3 --systemd=always'

describe('what systemd needs of an image engine', () => {
  test.each([
    ['docker run img', `${DOCKER} img`],
    ['docker create img', `${DOCKER} img`],
    ['podman run img', `${PODMAN} --sdnotify=ignore img`],
  ])('%s', async (text, end) => {
    const launch = await plan(text)
    expect(launch.args.join(' ').endsWith(` ${end}`)).toBe(true)
    expect(launch.warnings).toEqual([])
  })

  test.each([
    ['docker run --stop-signal SIGPWR img', '--stop-signal=SIGRTMIN+3'],
    ['docker run --cgroupns private img', '--cgroupns=private'],
    [
      'docker run --security-opt writable-cgroups=true img',
      '--security-opt writable-cgroups=true --tmpfs',
    ],
    ['docker run --tmpfs /tmp:size=1g img', '/tmp:exec'],
    ['docker run --tmpfs /run img', '/run:exec'],
    ['docker run -v cache:/tmp img', '/tmp:exec'],
    ['docker run -e container=other img', 'container=docker'],
    ['podman run --systemd=always img', '--systemd=always --sdnotify'],
  ])('%s: as the user has it', async (text, added) => {
    const [, , ...words] = text.split(' ')
    expect(await line(text)).not.toContain(added)
    expect(await line(text)).toContain(` ${words.join(' ')}`)
  })

  test('podman run --systemd=true: replaced', async () => {
    expect(await line('podman run --systemd=true img')).toMatch(/ --systemd=always img$/)
  })

  test('a start adds nothing: create did', async () => {
    expect(await line('docker start web')).toBe('start web')
  })

  test.each([
    ['docker run --cgroupns=host img', /--cgroupns=host/],
    ['podman run --cgroupns host img', /--cgroupns=host/],
    ['podman run --cgroups=disabled img', /--cgroups=disabled/],
    ['podman run --systemd=false img', /--systemd=false/],
    ['docker run --security-opt writable-cgroups=false img', /writable-cgroups=false/],
    ['docker run --init img', /--init/],
    ['docker run --pid host img', /--pid host/],
    ['docker run --user 1000 img', /--user 1000/],
    ['docker run -v /x:/run img', /--volume \/x:\/run/],
    ['docker run --mount type=bind,source=/x,target=/run/ img', /target=\/run/],
    ['docker run -v /sys/fs/cgroup:/sys/fs/cgroup:rw img', /\/sys\/fs\/cgroup/],
    ['docker run -v /x:/run/host img', /--container-directory/],
    ['nerdctl run img', /docker or podman/],
  ])('refused, in one line: %s', async (text, message) => {
    await expect(plan(text)).rejects.toMatchObject({
      code: 'ERR_ENGINE_OPTION',
      message: expect.stringMatching(message) as string,
    })
  })

  test.each(['--user root', '--user 0:0', '--pid=private', '--init=false'])(
    'not refused: %s',
    async (option) => {
      await expect(plan(`docker run ${option} img`)).resolves.toBeDefined()
    },
  )
})

describe('what systemd needs of a bundle', () => {
  test('file systems in memory below all others, a cgroup that it may write to, its stop signal', async () => {
    const launch = await plan(`runc run --bundle ${bundle(SPEC)} web`)
    await launch.prepare()
    const config = await written(launch)
    expect(destinations(config)).toEqual([
      ...['/run', '/run/lock', '/tmp', '/proc', '/sys/fs/cgroup', '/run/mine', '/run/host'],
    ])
    expect(config['mounts']).toContainEqual({
      ...{ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' },
      options: ['nosuid', 'relatime'],
    })
    expect(config['linux']).toMatchObject({ namespaces: [{ type: 'pid' }, { type: 'cgroup' }] })
    expect(config['process']).toMatchObject({
      env: ['A=1', 'NOTIFY_SOCKET=/run/host/notify', 'container=oci'],
      // As they were.
      capabilities: { bounding: ['CAP_KILL'] },
      noNewPrivileges: true,
    })
    expect(launch.container.stop(5)[0]?.args).toEqual(['kill', 'web', '37'])
    expect(config['annotations']).toMatchObject({
      'org.opencontainers.image.stopSignal': 'SIGRTMIN+3',
    })
  })

  test('what the bundle has already stays', async () => {
    const launch = await plan(
      `crun run --bundle ${bundle({
        ...SPEC,
        process: { env: ['container=mine'], user: { uid: 0 } },
        annotations: { 'org.opencontainers.image.stopSignal': 'SIGPWR' },
        mounts: [{ destination: '/run/', type: 'tmpfs', source: 'x' }],
        linux: { namespaces: [{ type: 'pid' }, { type: 'cgroup' }] },
      })} web`,
    )
    await launch.prepare()
    const config = await written(launch)
    expect(destinations(config)).toEqual([
      ...['/run/lock', '/tmp', '/run/', '/sys/fs/cgroup', '/run/host'],
    ])
    expect(config['process']).toMatchObject({
      env: ['container=mine', 'NOTIFY_SOCKET=/run/host/notify'],
    })
    expect(config['linux']).toMatchObject({ namespaces: [{ type: 'pid' }, { type: 'cgroup' }] })
    expect(launch.container.stop(5)[0]?.args).toEqual(['kill', 'web', '30'])
  })

  test('one without Linux settings', () => {
    expect(withSystemd({}, [])).toEqual({
      linux: { namespaces: [{ type: 'cgroup' }] },
      mounts: [expect.objectContaining({ destination: '/sys/fs/cgroup' })],
    })
  })

  const MAPPED = {
    linux: { ...SPEC_LINUX, uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }] },
  }
  test.each([
    ['no pid namespace', { linux: { namespaces: [] } }, /no pid namespace/],
    [
      'the pid namespace of another',
      { linux: { namespaces: [{ type: 'pid', path: '/proc/1/ns/pid' }] } },
      /pid namespace of another process/,
    ],
    [
      'the cgroup namespace of another',
      { linux: { namespaces: [{ type: 'pid' }, { type: 'cgroup', path: '/proc/1/ns/cgroup' }] } },
      /cgroup namespace of another process/,
    ],
    ['another user', { process: { user: { uid: 7 } } }, /starts as user 7/],
    [
      'cgroups of the host',
      { mounts: [{ destination: '/sys/fs/cgroup', type: 'bind', source: '/sys/fs/cgroup' }] },
      /mounts \/sys\/fs\/cgroup with the type bind/,
    ],
    [
      'a directory on /run',
      { mounts: [{ destination: '/run', type: 'bind', source: '/x' }] },
      /mounts \/run with the type bind/,
    ],
    ['other users, of which runc knows nothing', MAPPED, /to 100000.*use crun/],
  ])('refused, in one line: %s', async (_, changes, message) => {
    await expect(
      plan(`runc run --bundle ${bundle({ ...SPEC, ...changes })} web`),
    ).rejects.toMatchObject({
      code: 'ERR_ENGINE_OPTION',
      message: expect.stringMatching(message) as string,
    })
  })

  test.each(['crun', 'runc --systemd-cgroup'])(
    'not refused: other users, by %s',
    async (engine) => {
      const directory = bundle({ ...SPEC, ...MAPPED })
      await expect(plan(`${engine} run --bundle ${directory} web`)).resolves.toBeDefined()
    },
  )
})

function bundle(config: object): string {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'rootfs'))
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
  return directory
}

async function written(launch: Launch): Promise<JsonObject> {
  return (await readBundle(launch.args[launch.args.indexOf('--bundle') + 1]!)).config
}

function destinations({ mounts }: JsonObject): unknown[] {
  return (mounts as unknown[]).map((mount) => isObject(mount) && mount['destination'])
}
