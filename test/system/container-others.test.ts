import { writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'
import type { Place } from './containers/scenarios.js'
import { inside } from './repository.js'

/** Where Debian's redis and haproxy are: this machine need not have them. */
const NEWEST: Place[] = ['docker', 'podman', 'runc', 'crun']

describeContainers(
  'programs that are not ours',
  (scenario) => {
    scenario('others', 'a service in C, by libsystemd', async (host, engine) => {
      const isOld = (await host.machine.systemdVersion()) < 253
      const service = await BridgedService.write(host, engine, 'libsystemd', {
        settings:
          'WatchdogSec=2\nFileDescriptorStoreMax=5\n' +
          (isOld ? 'ExecReload=kill -HUP $MAINPID' : 'Type=notify-reload'),
        container: { argv: ['/payload/c-service'] },
      })
      await service.systemctl('start')
      // It waited for a barrier, so it has said all that before.
      await service.waitForOutput('barrier 1')
      expect(service.output()).toMatch(/watchdog 1 of 2000000 us, 0 descriptors/)
      const { MainPID = '' } = await service.show('MainPID')
      await service.waitFor({
        ...{ ActiveState: 'active', StatusText: 'written in C', NFileDescriptorStore: '1' },
      })
      await service.systemctl('reload')
      await service.waitFor({ ActiveState: 'active', StatusText: 'reloaded' })
      // It outlives three intervals: by now, or after this.
      await new Promise((resolve) => setTimeout(resolve, 7000))
      expect(await service.show('ActiveState', 'MainPID', 'Result')).toEqual({
        ActiveState: 'active',
        MainPID,
        Result: 'success',
      })
      if (engine !== 'docker') {
        await service.systemctl('restart')
        await service.waitForOutput('1 descriptors')
      }
      await service.systemctl('stop')
      expect(await service.show('ActiveState', 'Result', 'StatusText')).toMatchObject({
        ActiveState: 'inactive',
        Result: 'success',
      })
    })

    scenario(
      'others',
      'redis-server, as it is in Debian',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'redis', {
          settings: TELLS_ENDING,
          container: {
            image: 'redis',
            argv: [
              ...['redis-server', '--supervised', 'systemd', '--port', '0', '--save', ''],
              ...['--dir', '/tmp', '--unixsocket', '/tmp/redis'],
            ],
            name: 'redis',
          },
        })
        await service.systemctl('start')
        const { ActiveState, StatusText } = await service.show('ActiveState', 'StatusText')
        expect(ActiveState).toBe('active')
        expect(StatusText).toBe('Ready to accept connections')
        const ping = ['exec', 'redis', 'redis-cli', '-s', '/tmp/redis', 'ping']
        expect((await host.machine.run(engine, ping)).stdout).toBe('PONG\n')
        await service.systemctl('stop')
        expect(service.output()).toContain('Redis is now ready to exit')
        await waitForEnding(service, 'success exited 0')
      },
      NEWEST,
    )

    scenario(
      'others',
      'haproxy, whose READY=1 comes with MAINPID=, and which reloads itself',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'haproxy', {
          settings: 'Type=notify-reload\nReloadSignal=USR2',
          container: {
            image: 'haproxy',
            argv: ['haproxy', '-Ws', '-f', '/etc/haproxy.cfg'],
            mounts: { '/etc/haproxy.cfg': '/srv/haproxy.cfg' },
          },
        })
        await host.machine.systemctl('log-level', 'debug')
        await service.systemctl('start')
        const { ActiveState, MainPID } = await service.show('ActiveState', 'MainPID')
        expect(ActiveState).toBe('active')
        // RELOADING=1 and READY=1 are the payload's: systemctl waits for both.
        await service.systemctl('reload')
        expect(await service.show('ActiveState', 'MainPID', 'Result')).toEqual({
          ActiveState: 'active',
          MainPID,
          Result: 'success',
        })
        const said = (await service.notifications()).join(', ')
        expect(said).toMatch(/^READY=1.*RELOADING=1.*READY=1/)
        expect(said).not.toContain('MAINPID')
        await host.machine.systemctl('log-level', 'info')
        await service.systemctl('stop')
        // It was there to be left out, at the start and after the reload.
        expect(service.output()).toMatch(/dropped fields: 2 not-allowed/)
      },
      NEWEST,
    )

    scenario('others', 'a service in Node, with @sdbridge/notify', async (host, engine) => {
      // With the libraries that it is linked with.
      const mounts = { '/usr': '/usr', '/srv': '/srv' }
      const service = await BridgedService.write(host, engine, 'node', {
        settings: `WatchdogSec=20\n${TELLS_ENDING}`,
        container: {
          mounts,
          argv: [host.machine.nodePath, inside('test/system/fixtures/notifying.mjs')],
        },
      })
      await service.systemctl('start')
      expect(await service.show('ActiveState', 'StatusText')).toEqual({
        ActiveState: 'active',
        StatusText: 'Serving from a container',
      })
      await service.systemctl('stop')
      await waitForEnding(service, 'success exited 0')
    })
  },
  {
    async prepare(host) {
      if (!host.engines.includes('docker')) return
      await host.addImage('redis', { files: ['/usr/bin/redis-server', '/usr/bin/redis-cli'] })
      await host.addImage('haproxy', { files: ['/usr/sbin/haproxy'] })
      await writeHaproxyConfiguration(host)
    },
  },
)

async function writeHaproxyConfiguration({ machine }: ContainerHost): Promise<void> {
  await writeFile(
    machine.path('/srv/haproxy.cfg'),
    `defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend web
  bind /tmp/haproxy.sock
  http-request return status 200
`,
  )
}
