import { mkdir, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import type { Container } from './containers/container.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import { imageCommand } from './containers/engine-command.js'
import type { Payload } from './containers/payload.js'
import { addSystemdImage, systemdContainer } from './containers/systemd-payload.js'
import type { Outcome } from './machine/outcome.js'

const UID = '1000'
const HOME = '/home/web'
const MANAGER = `user@${UID}.service`
const LONGEST_WAIT_MS = 30_000

describeContainers(
  'a user’s own service manager',
  (scenario) => {
    scenario(
      'S22',
      'rootless podman: ready, heard, stopped',
      async (host) => {
        await writeUserUnit(host, 'mine')
        const payload = await start(host, 'mine')
        expect(await show(host, 'mine')).toMatchObject({ ActiveState: 'activating' })
        // Root inside, and nobody in particular outside.
        expect(payload.uid).toBe(0)
        await payload.send('READY=1\nSTATUS=mine alone')
        await expect
          .poll(() => show(host, 'mine'), { timeout: LONGEST_WAIT_MS })
          .toEqual({ ActiveState: 'active', Result: 'success', StatusText: 'mine alone' })
        const argv = ['systemd-notify', '--status=by another process']
        expect(await payload.run(argv)).toEqual({ code: 0, stdout: '', stderr: '' })
        expect(await show(host, 'mine')).toMatchObject({ StatusText: 'by another process' })
        await asUser(host, ['systemctl', '--user', 'stop', 'mine.service'])
        await payload.ended
        expect(payload.signals).toEqual(['SIGTERM'])
        expect(await show(host, 'mine')).toMatchObject({
          ActiveState: 'inactive',
          Result: 'success',
        })
        await expectNothingOfUser(host)
      },
      ['podman'],
    )

    scenario(
      'S22',
      'rootless podman: the bridge is killed, and cleaned up after',
      async (host) => {
        await writeUserUnit(host, 'crashed')
        const first = await start(host, 'crashed')
        await first.send('READY=1')
        await asUser(host, [
          'systemctl',
          '--user',
          'kill',
          '-sKILL',
          '--kill-whom=main',
          'crashed.service',
        ])
        await first.ended
        await expect
          .poll(() => show(host, 'crashed'), { timeout: LONGEST_WAIT_MS })
          .toMatchObject({ ActiveState: 'failed', Result: 'signal' })
        await expectNothingOfUser(host)
        const next = await start(host, 'crashed')
        await next.send('READY=1')
        await asUser(host, ['systemctl', '--user', 'stop', 'crashed.service'])
        await next.ended
        await expectNothingOfUser(host)
      },
      ['podman'],
    )

    scenario(
      'systemd',
      'rootless podman: ready, and halted',
      async (host) => {
        await writeUserUnit(host, 'inner', {
          bridge: ['--systemd'],
          container: systemdContainer('inner'),
          settings: 'Delegate=yes',
        })
        const payload = await start(host, 'inner')
        await payload.send('READY=1')
        await expect
          .poll(() => show(host, 'inner'), { timeout: LONGEST_WAIT_MS })
          .toEqual({ ActiveState: 'active', Result: 'success', StatusText: 'Ready.' })
        expect(await payload.readFile('/proc/1/uid_map')).toMatch(/^\s+0\s+1000\s+1\n/)
        await asUser(host, ['systemctl', '--user', 'stop', 'inner.service'])
        await payload.ended
        expect(payload.signals).toEqual(['SIGTERM'])
        expect(await show(host, 'inner')).toMatchObject({
          ActiveState: 'inactive',
          Result: 'success',
        })
        await expectNothingOfUser(host)
      },
      ['podman'],
    )
  },
  { prepare: prepareUser },
)

async function prepareUser(host: ContainerHost): Promise<void> {
  const { engines, machine } = host
  if (!engines.includes('podman')) return
  await machine.run('sh', [
    '-c',
    `echo 'web:x:${UID}:${UID}::${HOME}:/bin/sh' >>/etc/passwd
    echo 'web:x:${UID}:' >>/etc/group
    echo 'web:100000:65536' | tee -a /etc/subuid >>/etc/subgid
    mkdir -p ${HOME}/.config/containers /run/user/${UID} /run/systemd/user
    printf '[storage]\\ndriver = "vfs"\\n' >${HOME}/.config/containers/storage.conf
    chown -R ${UID}:${UID} ${HOME} /run/user/${UID}
    chmod 700 /run/user/${UID}`,
  ])
  // What pam and logind make of it elsewhere.
  await machine.writeUnit(
    MANAGER,
    `[Service]
User=web
Type=notify
ExecStart=/usr/lib/systemd/systemd --user
Environment=XDG_RUNTIME_DIR=/run/user/${UID}
Delegate=yes
KillMode=mixed
TimeoutStopSec=20
`,
  )
  await machine.systemctl('start', MANAGER)
  await addSystemdImage(host)
  for (const image of ['payload', 'systemd'])
    await asUser(host, ['sh', '-c', `tar -C /srv/images/${image} -c . | podman import - ${image}`])
  // It leaves a process behind, which keeps the user's namespace.
  await asUser(host, ['podman', 'run', '--rm', 'payload', 'true'])
}

async function writeUserUnit(
  host: ContainerHost,
  name: string,
  {
    bridge = [],
    container = { argv: ['python3', '/payload/remote.py', name] },
    settings = '',
  }: { bridge?: string[]; container?: Container; settings?: string } = {},
): Promise<void> {
  const engine = imageCommand('podman', 'run', container)
  const command = [...host.sdbridge, 'run', ...bridge, '--', ...engine]
  const folder = host.machine.path('/run/systemd/user')
  await mkdir(folder, { recursive: true })
  await writeFile(
    `${folder}/${name}.service`,
    `[Service]
Type=notify
NotifyAccess=main
ExecStart=${command.join(' ')}
ExecStopPost=${[...host.sdbridge, 'cleanup'].join(' ')}
KillMode=mixed
TimeoutStartSec=60
TimeoutStopSec=30
LimitCORE=0
${settings}
`,
  )
  await asUser(host, ['systemctl', '--user', 'daemon-reload'])
}

async function start(host: ContainerHost, name: string): Promise<Payload> {
  await asUser(host, ['systemctl', '--user', 'start', '--no-block', `${name}.service`])
  return host.payloads.next(name, async (signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    throw new Error(`no payload of ${name}: ${JSON.stringify(await show(host, name))}`)
  })
}

async function show(host: ContainerHost, name: string): Promise<Record<string, string>> {
  const properties = '--property=ActiveState,Result,StatusText'
  const { stdout } = await asUser(host, [
    'systemctl',
    '--user',
    'show',
    properties,
    `${name}.service`,
  ])
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

// All else is looked for after each test; what is in the user's own directories is not.
async function expectNothingOfUser(host: ContainerHost): Promise<void> {
  const { stdout } = await asUser(host, ['podman', 'ps', '--all', '--quiet'])
  expect(stdout).toBe('')
  const { exitCode } = await host.machine.run('test', ['-e', `/run/user/${UID}/sdbridge`], {
    allowFailure: true,
  })
  expect(exitCode).toBe(1)
}

function asUser({ machine }: ContainerHost, argv: string[]): Promise<Outcome> {
  return machine.run('setpriv', [`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', ...argv], {
    env: { HOME, USER: 'web', XDG_RUNTIME_DIR: `/run/user/${UID}` },
    timeoutMs: 60_000,
  })
}
