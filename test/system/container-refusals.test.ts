import { expect } from 'vitest'
import { BridgedService, type BridgedServiceOptions } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { listen } from './containers/unit-sockets.js'

/** As the command line's help has it. */
const USAGE = '2'
const FAILED = '125'

describeContainers('what cannot work', (scenario) => {
  scenario(
    'refusals',
    'sockets of the unit, for docker',
    async (host) => {
      const service = await BridgedService.write(host, 'docker', 'activated')
      await listen(host, service, 'web')
      await expectRefusal(service, FAILED, [
        /docker run: the unit has 1 socket\(s\) for its container \(web\)/,
        /sdbridge runtime install --docker/,
      ])
    },
    ['docker'],
  )

  scenario(
    'refusals',
    'what docker’s container has stored: that it cannot come back is said',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'stored', {
        settings: 'FileDescriptorStoreMax=10',
      })
      const payload = await service.startReady()
      await payload.openMemory('state', 'kept')
      await payload.send('FDSTORE=1\nFDNAME=state', { files: ['state'] })
      await service.waitFor({ NFileDescriptorStore: '1' })
      await service.systemctl('restart', '--no-block')
      const next = await service.payload()
      expect(await next.environment()).not.toHaveProperty('LISTEN_FDS')
      await service.waitForOutput("1 descriptor(s) of the unit's store")
    },
    ['docker'],
  )

  scenario(
    'refusals',
    'a docker of another host',
    async (host) => {
      await refused(
        host,
        'docker',
        'remote-docker',
        FAILED,
        [/tcp:\/\/192\.0\.2\.1:2375/, /unset DOCKER_HOST/],
        {
          settings: 'Environment=DOCKER_HOST=tcp://192.0.2.1:2375',
        },
      )
    },
    ['docker'],
  )

  scenario(
    'refusals',
    'a podman that talks to a service',
    async (host) => {
      await refused(
        host,
        'podman',
        'remote-podman',
        FAILED,
        [/podman talks to a service \(CONTAINER_HOST\)/, /take that away/],
        {
          settings: 'Environment=CONTAINER_HOST=tcp://192.0.2.1:2375',
        },
      )
    },
    ['podman'],
  )

  scenario('refusals', '--main-pid with NotifyAccess=main', async (host, engine) => {
    await refused(
      host,
      engine,
      'main-pid',
      USAGE,
      [/--main-pid: the unit has NotifyAccess=main/, /set NotifyAccess=all/],
      {
        bridge: ['--main-pid'],
      },
    )
  })

  scenario('refusals', 'a container that is there already', async (host, engine) => {
    await refused(
      host,
      engine,
      'entered',
      USAGE,
      [new RegExp(`${engine} exec: expected a command that starts a container`)],
      {
        execStart: [...host.sdbridge, 'run', '--', `/usr/bin/${engine}`, 'exec', 'web', 'true'],
      },
    )
  })

  scenario(
    'refusals',
    'restarts by the engine',
    async (host, engine) => {
      await refused(
        host,
        engine,
        'policy',
        USAGE,
        [/--restart=always: restarts are the service manager's/, /set Restart= in the unit/],
        {
          container: { options: ['--restart=always'], isRemoved: false },
        },
      )
    },
    ['docker', 'podman'],
  )

  scenario('refusals', 'a watchdog over systemd in a container', async (host, engine) => {
    await refused(
      host,
      engine,
      'watched',
      USAGE,
      [/--systemd: the unit has WatchdogSec=10, and systemd .* pings nobody: leave it out/],
      { bridge: ['--systemd'], settings: 'WatchdogSec=10' },
    )
  })

  scenario(
    'refusals',
    'the cgroup namespace of the host for systemd in a container',
    async (host, engine) => {
      await refused(
        host,
        engine,
        'unseparated',
        USAGE,
        [/--cgroupns=host: systemd would take cgroups for its own that are not: leave it out/],
        { bridge: ['--systemd'], container: { options: ['--cgroupns=host'] } },
      )
    },
    ['docker', 'podman'],
  )

  scenario('refusals', 'an option that sdbridge does not have', async (host, engine) => {
    await refused(host, engine, 'mistyped', USAGE, [/Unknown option '--sender'/], {
      bridge: ['--sender', 'init'],
    })
  })

  scenario('refusals', 'an engine that is not there', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'absent')
    const [, ...rest] = await service.engineCommand()
    const command = [...host.sdbridge, 'run', '--', `/opt/${engine}`, ...rest]
    await service.writeDropIn(`ExecStart=\nExecStart=${command.join(' ')}`)
    await expectRefusal(service, '127', [new RegExp(`/opt/${engine}`)])
  })
})

async function refused(
  host: ContainerHost,
  engine: EngineName,
  name: string,
  status: string,
  words: RegExp[],
  options: BridgedServiceOptions,
): Promise<void> {
  const service = await BridgedService.write(host, engine, name, options)
  await expectRefusal(service, status, words)
}

/** The unit fails with that exit status, and one line says why and what to do. */
async function expectRefusal(
  service: BridgedService,
  status: string,
  words: RegExp[],
): Promise<void> {
  await service.startToTheEnd()
  await service.waitForOutput('sdbridge: ')
  const lines = service
    .output()
    .split('\n')
    .filter((line) => line !== '')
  for (const each of words) expect(lines[0]).toMatch(each)
  // Of a command line, how to get help is said as well.
  expect(lines.slice(1)).toEqual(
    /Unknown option/.test(lines[0]!) ? ["Try 'sdbridge run --help'."] : [],
  )
  expect(await service.show('ActiveState', 'Result', 'ExecMainCode', 'ExecMainStatus')).toEqual({
    ActiveState: 'failed',
    Result: 'exit-code',
    ExecMainCode: '1',
    ExecMainStatus: status,
  })
}
