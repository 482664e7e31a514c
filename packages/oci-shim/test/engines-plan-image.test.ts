import { describe, expect, test } from 'vitest'
import { parseEngineCommand } from '../src/engines/engine-command.js'
import type { BridgeFacts, Launch } from '../src/engines/launch.js'
import { planLaunch } from '../src/engines/plan-launch.js'
import { bridgeFacts } from './engines-facts.js'

async function plan(argv: string | string[], changes: Partial<BridgeFacts> = {}): Promise<Launch> {
  const command = parseEngineCommand(typeof argv === 'string' ? argv.split(' ') : argv)
  if (command === undefined) throw new Error(`not understood: ${argv.toString()}`)
  return await planLaunch(command, bridgeFacts(changes))
}

/** The whole command line, as a shell without quotes would have it. */
async function line(argv: string | string[], changes: Partial<BridgeFacts> = {}): Promise<string> {
  const { file, args } = await plan(argv, changes)
  return [file, ...args].join(' ')
}

const MOUNT = '--mount type=bind,source=/run/web/notify,target=/run/notify,readonly'
const ENV = '--env NOTIFY_SOCKET=/run/notify/notify.sock'
const LABEL = '--label io.sdbridge.unit=web.service'
const NAME = '--name sdbridge-web'
const IDFILE = '--cidfile /run/web/private/container.id'

describe('what is added to a command line, behind its verb', () => {
  test.each([
    [
      'docker run img cmd -d',
      `docker run ${NAME} ${LABEL} ${IDFILE} ${MOUNT} ${ENV} --sig-proxy=false img cmd -d`,
    ],
    [
      'docker -H unix:///x run --rm -it img',
      `docker -H unix:///x run ${NAME} ${LABEL} ${IDFILE} ${MOUNT} ${ENV} --sig-proxy=false --rm -it img`,
    ],
    [
      'docker container run --name mine --cidfile=id img',
      `docker container run ${LABEL} ${MOUNT} ${ENV} --sig-proxy=false --name mine --cidfile=id img`,
    ],
    ['docker run -d img', `docker run ${NAME} ${LABEL} ${IDFILE} ${MOUNT} ${ENV} -d img`],
    [
      'docker run --sig-proxy img',
      `docker run ${NAME} ${LABEL} ${IDFILE} ${MOUNT} ${ENV} --sig-proxy img`,
    ],
    [
      'docker create img',
      `docker create ${NAME} ${LABEL} --label io.sdbridge.notify-directory=/run/web/notify ${IDFILE} ${MOUNT} ${ENV} img`,
    ],
    [
      'nerdctl run img',
      `nerdctl run ${NAME} ${LABEL} ${IDFILE} ${MOUNT} ${ENV} --sig-proxy=false img`,
    ],
    [
      'podman --root /r run img',
      `podman --root /r run ${NAME} ${LABEL} ${IDFILE} ${MOUNT} ${ENV} --sig-proxy=false --sdnotify=ignore img`,
    ],
    [
      'podman create img',
      `podman create ${NAME} ${LABEL} --label io.sdbridge.notify-directory=/run/web/notify ${IDFILE} ${MOUNT} ${ENV} --sdnotify=ignore img`,
    ],
    ['docker start web', 'docker start web'],
    ['docker start -a web', 'docker start -a web'],
    ['podman start web', 'podman start --attach --sig-proxy=false web'],
    ['podman start --attach --sig-proxy web', 'podman start --attach --sig-proxy web'],
  ])('%s', async (text, expected) => {
    expect(await line(text)).toBe(expected)
    expect((await plan(text)).warnings).toEqual([])
  })

  test('every variable that the payload is told', async () => {
    const variables = { NOTIFY_SOCKET: '/n/notify.sock', WATCHDOG_USEC: '30000000', FDSTORE: '4' }

    expect((await plan('docker run img', { variables })).args.join(' ')).toContain(
      '--env NOTIFY_SOCKET=/n/notify.sock --env WATCHDOG_USEC=30000000 --env FDSTORE=4 ',
    )
  })

  test('with SELinux, the directory gets a label, which only --volume can ask for', async () => {
    expect(await line('docker run img', { selinux: true })).toContain(
      '--volume /run/web/notify:/run/notify:ro,z',
    )
    expect(await line('docker run img', { selinux: true })).not.toContain('--mount')
  })

  test('a directory with a comma', async () => {
    expect((await plan('docker run img', { notifyDirectory: '/run/a,"b/n' })).args).toContain(
      'type=bind,"source=/run/a,""b/n",target=/run/notify,readonly',
    )
  })

  test('a cgroup below the unit', async () => {
    const cgroupParent = '/system.slice/web.service/container'

    expect(await line('docker run img', { cgroupParent })).toContain(
      `--cgroup-parent ${cgroupParent} `,
    )
    expect(await line('podman run img', { cgroupParent })).toContain(' --cgroups=split ')
    expect(await line('docker run --cgroup-parent=x img', { cgroupParent })).not.toContain(
      cgroupParent,
    )
    expect(await line('podman run --cgroups=disabled img', { cgroupParent })).not.toContain('split')
    expect(await line('podman run --pod p img', { cgroupParent })).not.toContain('split')
  })
})

describe('what the user has said already', () => {
  test.each([
    [
      'docker run -e NOTIFY_SOCKET img',
      'docker run',
      '-e NOTIFY_SOCKET=/run/notify/notify.sock img',
    ],
    ['docker run -eNOTIFY_SOCKET img', 'docker run', '-eNOTIFY_SOCKET=/run/notify/notify.sock img'],
    [
      'docker run -ite NOTIFY_SOCKET img',
      'docker run',
      '-ite NOTIFY_SOCKET=/run/notify/notify.sock img',
    ],
    [
      'docker run --env=NOTIFY_SOCKET img',
      'docker run',
      '--env=NOTIFY_SOCKET=/run/notify/notify.sock img',
    ],
  ])('%s: named without a value, and given it there', async (text, start, end) => {
    const launch = await plan(text)
    const result = [launch.file, ...launch.args].join(' ')

    expect(result.startsWith(start)).toBe(true)
    expect(result.endsWith(` ${end}`)).toBe(true)
    expect(result.match(/NOTIFY_SOCKET/g)).toHaveLength(1)
    expect(launch.warnings).toEqual([])
  })

  test.each([
    '-e NOTIFY_SOCKET=/x',
    '-eNOTIFY_SOCKET=/x',
    '--env=NOTIFY_SOCKET=',
    '-ie NOTIFY_SOCKET=/x',
  ])('another NOTIFY_SOCKET is replaced, and said: %s', async (option) => {
    const launch = await plan(`docker run ${option} img`)

    expect(launch.args.filter((each) => each.includes('NOTIFY_SOCKET'))).toHaveLength(1)
    expect(launch.args.join(' ')).toContain('NOTIFY_SOCKET=/run/notify/notify.sock')
    expect(launch.warnings).toEqual([expect.stringContaining('NOTIFY_SOCKET=')])
  })

  test("a watchdog interval of the user's own stays", async () => {
    const variables = { WATCHDOG_USEC: '30000000' }
    const launch = await plan('docker run -e WATCHDOG_USEC=5 img', { variables })

    expect(launch.args.filter((each) => each.includes('WATCHDOG'))).toEqual(['WATCHDOG_USEC=5'])
    expect(launch.warnings).toEqual([])
  })

  test("variables of other names, and of the payload's arguments, stay", async () => {
    expect(await line('docker run -e NOTIFY_SOCKETS=1 img -e NOTIFY_SOCKET=2')).toMatch(
      / -e NOTIFY_SOCKETS=1 img -e NOTIFY_SOCKET=2$/,
    )
  })

  test.each([
    ['podman run --sdnotify=conmon img', '--sdnotify=ignore img'],
    ['podman run --sdnotify healthy img', '--sdnotify ignore img'],
  ])('%s: replaced, and said', async (text, end) => {
    const launch = await plan(text)

    expect(launch.args.join(' ')).toContain(end)
    expect(launch.args.filter((each) => each.includes('sdnotify'))).toHaveLength(1)
    expect(launch.warnings).toEqual([expect.stringContaining('--sdnotify')])
  })

  test('podman run --sdnotify=ignore: as it is', async () => {
    expect((await plan('podman run --sdnotify=ignore img')).warnings).toEqual([])
  })

  test.each([
    'docker run --restart=always img',
    'docker run --restart unless-stopped img',
    'podman create --restart on-failure:3 img',
    'podman run --preserve-fds=2 img',
    'podman run --preserve-fd 3 img',
    'docker run -v /x:/run/notify img',
    'docker run -v /x:/run/notify/:ro img',
    'docker run -v /run//notify img',
    'docker run -itv /x:/run/notify/deeper img',
    'docker run --tmpfs /run/notify:size=1m img',
    'docker run --mount type=bind,source=/x,target=/run/notify img',
    'podman run --mount=type=tmpfs,dst=/run/notify img',
    'podman start --latest',
    'podman start --all web',
  ])('refused, in one line: %s', async (text) => {
    const code = text.endsWith('--latest') ? 'ERR_ENGINE_OPERAND' : 'ERR_ENGINE_OPTION'
    await expect(plan(text)).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining('\n') as string,
    })
  })

  test.each([
    'docker run',
    'docker run -d',
    'podman create --name x',
    'docker start',
    'docker start a b',
  ])('no image, or not one container: %s', async (text) => {
    await expect(plan(text)).rejects.toMatchObject({ code: 'ERR_ENGINE_OPERAND' })
  })

  test.each(['--restart=no', '--restart=', '-v /x:/run', '--tmpfs /run', '-v /x:/run/notify2'])(
    'not refused: %s',
    async (option) => {
      expect(await line(['docker', 'run', ...option.split(' '), 'img'])).toContain(option)
    },
  )

  test("a mount above the socket's directory gets a mountpoint, and that is said, unless it is in memory", async () => {
    expect((await plan('docker run -v /run:/run img')).warnings).toEqual([
      expect.stringContaining('--container-directory'),
    ])
    expect((await plan('docker run --tmpfs /run img')).warnings).toEqual([])
    expect((await plan('docker run --mount type=tmpfs,target=/run img')).warnings).toEqual([])
  })

  test('an option that is not known is said', async () => {
    expect((await plan('docker run --new-thing x img')).warnings).toEqual([
      expect.stringContaining('--new-thing'),
    ])
  })
})

describe('a container that is followed', () => {
  test.each([
    ['docker run img', false],
    ['docker run -d img', true],
    ['podman run -d img', true],
    ['docker start web', true],
    ['docker start -a web', false],
    ['docker start -i web', false],
    ['podman start web', false],
    ['docker create img', false],
  ])('%s: detached %s', async (text, detached) => {
    const launch = await plan(text)

    expect(launch.detached).toBe(detached)
    expect(launch.container.logs !== undefined).toBe(detached)
  })

  test.each([
    ['docker run -d --rm img', '-d --rm=false img'],
    ['podman run --rm=true --detach img', '--rm=false --detach img'],
    ['docker run -d --rm=1 --rm img --rm', '-d --rm=false --rm=false img --rm'],
  ])('%s: kept until its exit code is known, and removed with its volumes', async (text, end) => {
    const launch = await plan(text)

    expect(launch.args.join(' ').endsWith(` ${end}`)).toBe(true)
    expect(launch.container.remove.args).toContain('--volumes')
  })

  test('without --rm its volumes stay', async () => {
    expect((await plan('docker run -d img')).container.remove.args).not.toContain('--volumes')
  })

  test("docker's commands", async () => {
    const { container } = await plan('/usr/bin/docker -H unix:///x run --name mine img')
    const command = (...args: string[]): object => ({
      file: '/usr/bin/docker',
      args: ['-H', 'unix:///x', ...args],
    })

    expect({ ...container, of: undefined, stop: container.stop(17.9) }).toEqual({
      name: 'mine',
      idFile: '/run/web/private/container.id',
      bundle: undefined,
      of: undefined,
      pidFile: undefined,
      stop: [command('stop', '-t', '17', 'mine'), command('kill', '--signal', 'KILL', 'mine')],
      inspect: command('container', 'inspect', 'mine'),
      pid: command('container', 'inspect', '--format', '{{.State.Pid}}', 'mine'),
      wait: command('wait', 'mine'),
      logs: undefined,
      remove: command('rm', '--force', 'mine'),
      list: command(
        'ps',
        '--all',
        '--quiet',
        '--no-trunc',
        '--filter',
        'label=io.sdbridge.unit=web.service',
      ),
    })
  })

  test("podman's removal does not mind that there is none", async () => {
    const { container } = await plan('podman run img')

    expect(container.remove.args).toEqual(['rm', '--force', '--ignore', 'sdbridge-web'])
  })
})

describe('descriptors', () => {
  const fdNames = ['http', 'stored']

  test('docker has no way for them', async () => {
    expect(await plan('docker run img', { fdNames })).toMatchObject({
      passesFds: false,
      environment: {},
    })
  })

  test('podman takes them by its environment', async () => {
    expect(await plan('podman run img', { fdNames })).toMatchObject({
      passesFds: true,
      environment: { LISTEN_FDS: '2' },
    })
    expect((await plan('podman run img')).environment).toEqual({})
  })

  test("a payload in the host's pid namespace is not process 1, and that is said", async () => {
    expect((await plan('podman run --pid=host img', { fdNames })).warnings).toEqual([
      expect.stringContaining('LISTEN_PID'),
    ])
    expect((await plan('podman run --pid=host img')).warnings).toEqual([])
  })
})
