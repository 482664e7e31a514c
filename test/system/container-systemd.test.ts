import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'
import { giveAway, WITH_MAPPED_USERS } from './containers/mapped-users.js'
import type { Payload } from './containers/payload.js'
import type { Place } from './containers/scenarios.js'
import {
  addSystemdImage,
  systemdContainer,
  writeSystemdService,
} from './containers/systemd-payload.js'

/** Where the systemd in the container is so new that it says more than READY=1 and STATUS= (256). */
const NEWEST: Place[] = ['docker', 'podman', 'runc', 'crun']

const CAP_SYS_ADMIN = 21n

describeContainers(
  'a container whose first process is systemd',
  (scenario) => {
    scenario('systemd', 'READY=1 comes when all its units are started', async (host, engine) => {
      const service = await writeSystemdService(host, engine, 'booted')
      const payload = await service.start()
      expect(payload.pid).toBeGreaterThan(1)
      // It counts the seconds of what it waits for.
      await waitForStatus(service, /told\.service/)
      expect(await service.show('ActiveState')).toEqual({ ActiveState: 'activating' })
      await payload.send('READY=1')
      await service.waitFor({ ActiveState: 'active', StatusText: 'Ready.' })
      expect(await payload.readFile('/proc/1/comm')).toBe('systemd\n')
      expect(await outputOf(payload, 'systemctl', 'is-system-running')).toBe('running\n')
      expect(await outputOf(payload, 'systemctl', '--failed', '--plain', '--no-legend')).toBe('')
    })

    scenario(
      'systemd',
      'what it says of itself reaches systemd',
      async (host, engine) => {
        // It logs what it is told at this level alone.
        await host.machine.systemctl('log-level', 'debug')
        const service = await writeSystemdService(host, engine, 'talkative')
        await startReady(service)
        await service.systemctl('stop')
        await host.machine.systemctl('log-level', 'info')
        const notifications = await service.notifications()
        expect(notifications).toEqual(
          expect.arrayContaining([
            expect.stringMatching(/^X_SYSTEMD_HOSTNAME=\S+$/),
            'X_SYSTEMD_SIGNALS_LEVEL=2',
            'X_SYSTEMD_UNIT_ACTIVE=sysinit.target',
            'X_SYSTEMD_UNIT_ACTIVE=multi-user.target',
            'READY=1, STATUS=Ready.',
            'STATUS=Activating special unit halt.target...',
            'X_SYSTEMD_UNIT_INACTIVE=multi-user.target',
            'EXIT_STATUS=0, X_SYSTEMD_SHUTDOWN=halt',
          ]),
        )
        const first = notifications.indexOf('X_SYSTEMD_UNIT_ACTIVE=basic.target')
        expect(first).toBeLessThan(notifications.indexOf('READY=1, STATUS=Ready.'))
      },
      NEWEST,
    )

    scenario(
      'systemd-store',
      'the descriptors that its units store are back in them after systemctl restart',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'storing', {
          settings: 'FileDescriptorStoreMax=10',
        })
        const payload = await startReady(service)
        await payload.openMemory('state', 'what the first container knew')
        await payload.openMemory('other', 'and something else')
        await payload.send('FDSTORE=1\nFDNAME=state', { files: ['state'] })
        await payload.send('FDSTORE=1\nFDNAME=other', { files: ['other'] })
        // One more is its list of whose they are.
        await service.waitFor({ NFileDescriptorStore: '3' })

        const second = await restart(service)
        expect(await passedTo(second)).toEqual([
          'other: and something else',
          'state: what the first container knew',
        ])
        await second.send('READY=1\nFDSTOREREMOVE=1\nFDNAME=other')
        await service.waitFor({ ActiveState: 'active', NFileDescriptorStore: '2' })
        // As often as it starts, and no more of them.
        const third = await restart(service)
        expect(await passedTo(third)).toEqual(['state: what the first container knew'])
        await third.send('READY=1')
        await service.waitFor({ ActiveState: 'active', NFileDescriptorStore: '2' })
      },
    )

    scenario(
      'systemd-store',
      'it is told of no descriptor store, of which nothing would come back',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'storing', {
          settings: 'FileDescriptorStoreMax=10',
        })
        const payload = await startReady(service)
        expect(await payload.readFile('/proc/1/environ')).not.toMatch(/FDSTORE=/)
        await payload.openMemory('state', 'of its own')
        await payload.send('FDSTORE=1\nFDNAME=state', { files: ['state'] })
        // It has been stored where it is stored: a restart of the unit inside gives it back.
        await payload.start(['systemctl', 'restart', '--no-block', 'told.service'])
        const next = await service.payload()
        expect(await passedTo(next)).toEqual(['state: of its own'])
        expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '0' })
        await next.send('READY=1')
      },
      ['docker'],
    )

    scenario('systemd', 'systemctl stop halts it, and it ends well', async (host, engine) => {
      const service = await writeSystemdService(host, engine, 'halted', { settings: TELLS_ENDING })
      const payload = await startReady(service)
      await service.systemctl('stop')
      await payload.ended
      // It was stopped by its own service manager.
      expect(payload.signals).toEqual(['SIGTERM'])
      await waitForEnding(service, 'success exited 0')
      expect(service.output()).not.toContain('and is killed')
    })

    scenario(
      'systemd',
      'a stop that comes before it takes signals is not lost',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'early', {
          settings: `TimeoutStopSec=60\n${TELLS_ENDING}`,
          container: {
            mounts: { '/gate': '/srv' },
            argv: [
              'sh',
              '-c',
              'echo waiting; until [ -e /gate/open ]; do sleep 0.1; done; exec /usr/lib/systemd/systemd',
            ],
          },
        })
        await service.systemctl('start', '--no-block')
        await service.waitForOutput('waiting')
        await service.systemctl('stop', '--no-block')
        await service.waitFor({ ActiveState: 'deactivating' })
        try {
          // The shell, as process 1, does not get it.
          await host.machine.run('sleep', ['3'])
          expect(await service.show('ActiveState')).toEqual({ ActiveState: 'deactivating' })
          await host.machine.run('touch', ['/srv/open'])
          await waitForEnding(service, 'success exited 0')
        } finally {
          await host.machine.run('rm', ['-f', '/srv/open'])
        }
        expect(service.output()).not.toContain('and is killed')
      },
    )

    scenario('systemd', 'systemctl poweroff inside ends the unit well', async (host, engine) => {
      const service = await writeSystemdService(host, engine, 'off', {
        settings: `Restart=on-failure\n${TELLS_ENDING}`,
      })
      const payload = await startReady(service)
      await payload.start(['systemctl', 'poweroff'])
      await waitForEnding(service, 'success exited 0')
      await service.waitFor({ ActiveState: 'inactive' })
    })

    scenario(
      'systemd',
      'systemctl exit inside gives the unit its exit status',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'exited', {
          settings: TELLS_ENDING,
        })
        const payload = await startReady(service)
        await payload.start(['systemctl', 'exit', '7'])
        await waitForEnding(service, 'exit-code exited 7')
      },
    )

    scenario(
      'systemd',
      'systemctl reboot inside starts the unit anew, as that of systemd-nspawn',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'again', {
          settings: `SuccessExitStatus=133\nRestartForceExitStatus=133\n${TELLS_ENDING}`,
        })
        const payload = await startReady(service)
        await payload.start(['systemctl', 'reboot'])
        await waitForEnding(service, 'success exited 133')
        const next = await service.payload()
        await next.send('READY=1')
        await service.waitFor({ ActiveState: 'active', NRestarts: '1' })
      },
      NEWEST,
    )

    scenario(
      'systemd',
      'systemctl reload: its daemon-reload',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'reloaded', {
          settings: 'Type=notify-reload',
        })
        const payload = await startReady(service)
        const isOutdated = () =>
          outputOf(payload, 'systemctl', 'show', '-pNeedDaemonReload', 'told')
        const file = '/etc/systemd/system/told.service'
        await payload.run([
          'sh',
          '-c',
          `echo '[Unit]' >>${file}; echo Description=changed >>${file}`,
        ])
        expect(await isOutdated()).toBe('NeedDaemonReload=yes\n')
        await service.systemctl('reload')
        expect(await isOutdated()).toBe('NeedDaemonReload=no\n')
        await service.waitFor({ ActiveState: 'active', SubState: 'running' })
      },
      NEWEST,
    )

    scenario('systemd', 'it executes itself again, and goes on', async (host, engine) => {
      const service = await writeSystemdService(host, engine, 'reexecuted', {
        settings: TELLS_ENDING,
      })
      const payload = await startReady(service)
      expect(await payload.run(['systemctl', 'daemon-reexec'])).toMatchObject({ code: 0 })
      await service.waitFor({ ActiveState: 'active', StatusText: 'Ready.' })
      await service.systemctl('stop')
      await waitForEnding(service, 'success exited 0')
    })

    scenario('systemd', 'it has no more rights than any payload', async (host, engine) => {
      const plain = await BridgedService.write(host, engine, 'plain')
      const service = await writeSystemdService(host, engine, 'unprivileged')
      const rights = rightsOf(await (await plain.start()).readFile('/proc/self/status'))
      const payload = await service.start()
      const ofSystemd = rightsOf(await payload.readFile('/proc/1/status'))
      expect(ofSystemd).toEqual(rights)
      expect(ofSystemd).toHaveLength(6)
      const bounding = /CapBnd:\s+([\da-f]+)/.exec(ofSystemd.join('\n'))![1]!
      expect((BigInt(`0x${bounding}`) >> CAP_SYS_ADMIN) & 1n).toBe(0n)
      expect(await payload.run(['busybox', 'mount', '-t', 'tmpfs', 'x', '/tmp'])).toMatchObject({
        code: 1,
      })
    })

    scenario(
      'systemd',
      'its cgroups are below the unit’s, and no others are seen',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'grouped')
        const payload = await startReady(service)
        expect(await payload.readFile('/proc/self/cgroup')).toMatch(
          /^0::\/system\.slice\/told\.service$/m,
        )
        expect(await payload.listFolder('/sys/fs/cgroup')).toEqual(
          expect.arrayContaining(['init.scope', 'system.slice']),
        )
        expect(await payload.listFolder('/sys/fs/cgroup/system.slice')).not.toContain(service.unit)
        const { ControlGroup } = await service.show('ControlGroup')
        const { stdout } = await host.machine.run('find', [
          `/sys/fs/cgroup${ControlGroup}`,
          ...['-name', 'told.service'],
        ])
        expect(stdout).toMatch(/told\.service\n$/)
      },
    )

    scenario(
      'systemd',
      'its first process alone is heard, unless --senders',
      async (host, engine) => {
        for (const senders of ['init', 'all']) {
          const service = await writeSystemdService(host, engine, `heard-${senders}`, {
            bridge: senders === 'init' ? [] : ['--senders', senders],
          })
          const payload = await startReady(service)
          await payload.send('STATUS=of another', { address: '/run/host/notify' })
          if (senders === 'all') await service.waitFor({ StatusText: 'of another' })
          await service.systemctl('stop')
          expect(service.output().includes('sender-refused')).toBe(senders === 'init')
        }
      },
    )

    scenario(
      'systemd',
      'a user namespace, whose root is not that of the host',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'mapped', {
          settings: TELLS_ENDING,
          container: WITH_MAPPED_USERS,
        })
        if (isRuntime(engine)) await giveAway(service)
        const payload = await startReady(service)
        expect(await payload.readFile('/proc/1/uid_map')).toMatch(/^\s+0\s+100000\s+65536\n$/)
        await service.systemctl('stop')
        await waitForEnding(service, 'success exited 0')
      },
      ['podman', 'crun'],
    )

    scenario(
      'systemd',
      'a user namespace, whose root runc gives no cgroup: refused',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'mapped', {
          container: WITH_MAPPED_USERS,
        })
        await service.startToTheEnd()
        expect(await service.show('Result', 'ExecMainStatus')).toEqual({
          Result: 'exit-code',
          ExecMainStatus: '2',
        })
        expect(service.output()).toMatch(
          /^sdbridge: runc run: config\.json maps the container's root to 100000: .* use crun\n$/,
        )
      },
      ['runc', 'runc on host'],
    )

    scenario('systemd', 'created first, started later', async (host, engine) => {
      const service = await writeSystemdService(host, engine, 'made', {
        settings: TELLS_ENDING,
        execStart: [
          ...host.sdbridge,
          ...['run', '--systemd', '--', `/usr/bin/${engine}`, 'start', `made-${engine}`],
        ],
      })
      await create(service)
      await startReady(service)
      await service.systemctl('stop')
      await waitForEnding(service, 'success exited 0')
      // What was created is the operator's to remove.
      await host.machine.run('sh', ['-c', REMOVE_CREATED, engine, service.id])
    })
  },
  { prepare: addSystemdImage },
)

/** Starts the unit; the payload in there says that it is ready, and so systemd is. */
async function startReady(service: BridgedService): Promise<Payload> {
  const payload = await service.start()
  await payload.send('READY=1')
  await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusText: 'Ready.' })
  return payload
}

async function restart(service: BridgedService): Promise<Payload> {
  await service.systemctl('restart', '--no-block')
  return await service.payload()
}

async function waitForStatus(service: BridgedService, status: RegExp): Promise<void> {
  // oxlint-disable-next-line vitest/no-standalone-expect
  await expect
    .poll(async () => (await service.show('StatusText'))['StatusText'], { timeout: 30_000 })
    .toMatch(status)
}

async function passedTo(payload: Payload): Promise<string[]> {
  const passed = await payload.listenFds()
  return passed.map(({ name, content }) => `${name}: ${content}`).toSorted()
}

async function outputOf(payload: Payload, ...argv: string[]): Promise<string> {
  return (await payload.run(argv)).stdout
}

function rightsOf(status: string): string[] {
  return status
    .split('\n')
    .filter((line) => /^(Cap(Inh|Prm|Eff|Bnd)|NoNewPrivs|Seccomp):/.test(line))
}

async function create(service: BridgedService): Promise<void> {
  const { engine, host, id } = service
  const [file = '', , ...rest] = await service.engineCommand(
    systemdContainer(id, isRuntime(engine) ? {} : { name: id, isRemoved: false }),
  )
  await host.machine.run('sh', [
    '-c',
    // Of a bundle the container keeps what it is given, and the test would wait for its end.
    '"$@" </dev/null >/run/created 2>&1 || { cat /run/created; exit 1; }; rm /run/created',
    ...['sh', ...host.sdbridge, 'run', '--systemd', '--', file, 'create', ...rest],
  ])
}

const REMOVE_CREATED = `
case $0 in docker | podman) "$0" rm "$1" >/dev/null ;; esac
rm -rf "/run/sdbridge/containers/$0-$1"
rmdir /run/sdbridge/containers /run/sdbridge || true`

function isRuntime(engine: EngineName): boolean {
  return engine === 'runc' || engine === 'crun'
}
