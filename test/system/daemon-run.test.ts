import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { BridgedService, type BridgedServiceOptions } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'
import { KNOWS_LAUNCHER, writeLauncher } from './containers/runtime-launcher.js'
import { listen } from './containers/unit-sockets.js'
import { DaemonHost } from './daemon/daemon-host.js'

/** Without it, nobody but the daemon is there to clean up. */
const NO_CLEANUP = 'ExecStopPost='
/** The container is in a group of its own, which the service manager does not kill. */
const ELSEWHERE = 'Delegate=no'

describeContainers(
  'sdbridge run --daemon',
  (scenario) => {
    scenario(
      'daemon',
      'the engine’s client is the main process, and nothing of ours stays in the unit',
      async (host, engine) => {
        const service = await write(host, engine, 'alone', { settings: 'WatchdogSec=60' })
        const payload = await service.start()
        expect(await payload.environment()).toMatchObject({
          NOTIFY_SOCKET: '/run/notify/notify.sock',
          WATCHDOG_USEC: '60000000',
        })
        await payload.send('READY=1\nSTATUS=from within')
        await service.waitFor({ ActiveState: 'active', StatusText: 'from within' })
        const pid = await service.mainPid()
        const { stdout: words } = await host.machine.run('cat', [`/proc/${pid}/cmdline`])
        expect(words.split('\0')[0]).toBe(`/usr/bin/${engine}`)
        const { stdout: environment } = await host.machine.run('cat', [`/proc/${pid}/environ`])
        expect(environment).not.toMatch(/^(?:NOTIFY_SOCKET|WATCHDOG_|INVOCATION_ID)/m)
        expect(await commandsOf(service)).not.toContain('sdbridge.js')
        expect(await new DaemonHost(host.machine).list()).toMatchObject([
          { name: service.unit, unit: service.unit, state: 'ready', status: 'from within' },
        ])
        await payload.outlive('SIGHUP')
        await service.systemctl('kill', '--signal=HUP', '--kill-whom=main')
        await expect.poll(() => payload.signals, { timeout: 30_000 }).toEqual(['SIGHUP'])
        await service.systemctl('stop')
        expect(payload.signals).toEqual(['SIGHUP', 'SIGTERM'])
        await service.waitFor({ ActiveState: 'inactive', Result: 'success' })
      },
    )

    scenario(
      'daemon',
      'the exit code is the unit’s, and the container is removed, by the daemon alone too',
      async (host, engine) => {
        const service = await write(host, engine, 'code', {
          settings: `${NO_CLEANUP}\n${TELLS_ENDING}`,
          container: { isRemoved: false },
        })
        await (await service.startReady()).exit(7)
        await waitForEnding(service, 'exit-code exited 7')
      },
    )

    scenario('daemon', 'one that goes silent is ended', async (host, engine) => {
      const service = await write(host, engine, 'silent', { settings: 'WatchdogSec=2' })
      const payload = await service.startReady()
      await payload.ping('WATCHDOG=1', { count: 8, intervalMs: 500 })
      await service.waitFor({ ActiveState: 'failed', Result: 'watchdog' })
      expect(payload.signals).toEqual(['SIGABRT'])
    })

    scenario('daemon', 'one that is deaf to its stop is removed', async (host, engine) => {
      const service = await write(host, engine, 'deaf', {
        settings: `${NO_CLEANUP}\n${ELSEWHERE}\nTimeoutStopSec=2`,
      })
      const payload = await service.startReady()
      await payload.outlive('SIGTERM')
      await service.systemctl('stop')
      await payload.ended
      await service.waitFor({ ActiveState: 'failed', Result: 'timeout' })
    })

    scenario(
      'daemon',
      'its client killed, another one with its name comes in its place',
      async (host, engine) => {
        const service = await write(host, engine, 'killed', {
          settings: `${NO_CLEANUP}\n${ELSEWHERE}\nRestart=always\nRestartSec=100ms`,
        })
        let payload = await service.startReady()
        for (let times = 0; times < 2; times++) {
          await service.systemctl('kill', '--signal=KILL', '--kill-whom=main')
          await payload.ended
          payload = await service.payload()
          await payload.send('READY=1')
          await service.waitFor({ ActiveState: 'active', SubState: 'running' })
        }
        // Nobody takes the new one for one that was left behind.
        await payload.sleep(2000)
        await payload.send('STATUS=still here')
        await service.waitFor({ StatusText: 'still here' })
      },
    )

    scenario('daemon', 'the whole unit killed, it is removed', async (host, engine) => {
      const service = await write(host, engine, 'all-killed', {
        settings: `${ELSEWHERE}\nRuntimeDirectory=by-daemon-all-killed`,
      })
      const payload = await service.startReady()
      await service.systemctl('kill', '--signal=KILL', '--kill-whom=all')
      await payload.ended
      await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
    })

    scenario('daemon', 'a restart of the daemon is not noticed', async (host, engine) => {
      const service = await write(host, engine, 'unmoved')
      const payload = await service.start()
      await host.machine.systemctl('restart', 'sdbridge.service')
      await payload.send('READY=1\nSTATUS=as before')
      await service.waitFor({ ActiveState: 'active', StatusText: 'as before' })
    })

    scenario('daemon', 'it has the unit’s sockets, and what it stored', async (host, engine) => {
      const service = await write(host, engine, 'sockets', {
        settings: 'FileDescriptorStoreMax=10',
      })
      await listen(host, service, 'web')
      const client = connect(host.machine.path(`/run/${service.id}.web`))
      client.write('anybody there?')
      const answer = text(client)
      const first = await service.payload()
      expect(await first.listenFds()).toEqual([{ name: 'web', content: 'socket' }])
      expect(await first.serveOne(3, 'the first')).toBe('anybody there?')
      expect(await answer).toBe('the first')
      await first.send('READY=1')
      await first.openMemory('state', 'what the first knew')
      await first.send('FDSTORE=1\nFDNAME=state', { files: ['state'] })
      await service.waitFor({ NFileDescriptorStore: '1' })
      await service.systemctl('restart', '--no-block')
      const next = await service.payload()
      const passed = await next.listenFds()
      expect(passed.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
        { name: 'state', content: 'what the first knew' },
        { name: 'web', content: 'socket' },
      ])
      await next.send('READY=1')
      await service.waitFor({ ActiveState: 'active' })
      await host.machine.systemctl('stop', ...service.sockets, service.unit)
    })

    scenario(
      'daemon',
      'a unit that the daemon may not speak for is told so, and what to do',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'unlisted', {
          bridge: ['--daemon'],
          settings: TELLS_ENDING,
        })
        await service.startToTheEnd()
        await service.waitForOutput(
          `sdbridge: ${service.unit} may not be spoken for: add the line '${service.unit}' to /etc/sdbridge/units`,
        )
        await waitForEnding(service, 'exit-code exited 125')
      },
    )

    scenario('daemon', 'without the daemon, it is told how to start it', async (host, engine) => {
      const units = ['sdbridge.socket', 'sdbridge.service']
      await host.machine.systemctl('stop', ...units)
      try {
        const service = await write(host, engine, 'lonely', { settings: TELLS_ENDING })
        await service.startToTheEnd()
        await service.waitForOutput('systemctl start sdbridge.socket')
        await waitForEnding(service, 'exit-code exited 125')
      } finally {
        await host.machine.systemctl('start', ...units)
      }
    })
  },
  {
    dockerd: [KNOWS_LAUNCHER],
    prepare: async (host) => {
      await writeLauncher(host)
      await DaemonHost.install(host.machine, ['by-daemon-*.service'])
    },
  },
)

function write(
  host: ContainerHost,
  engine: EngineName,
  name: string,
  options: BridgedServiceOptions = {},
): Promise<BridgedService> {
  return BridgedService.write(host, engine, `by-daemon-${name}`, {
    bridge: ['--daemon'],
    ...options,
  })
}

/** The command lines of all processes of a unit, in all groups below it. */
async function commandsOf({ host, unit }: BridgedService): Promise<string> {
  const script =
    'cat $(find "/sys/fs/cgroup$0" -name cgroup.procs) | while read -r pid; do tr "\\0" " " <"/proc/$pid/cmdline"; echo; done'
  const { ControlGroup = '' } = await host.machine.show(unit, 'ControlGroup')
  const { stdout } = await host.machine.run('sh', ['-c', script, ControlGroup])
  return stdout
}
