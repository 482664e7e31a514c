import { writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import { CONTROL_FOLDER } from './containers/payloads.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING } from './containers/ending.js'

/** Where the daemons come from: the newest Debian has them, this machine need not. */
const NEWEST = ['docker', 'podman', 'runc', 'crun'] as const

describeContainers(
  'a unit that waits for programs that are not ours',
  (scenario) => {
    scenario(
      'others',
      'redis-server: not active before it says so',
      async (host, engine) => {
        const go = `${CONTROL_FOLDER}/redis-${engine}`
        const service = await BridgedService.write(host, engine, 'redis', {
          settings: TELLS_ENDING,
          container: {
            image: 'redis',
            argv: whenTold(`/control/redis-${engine}`, [
              ...['redis-server', '--supervised', 'systemd', '--port', '0'],
              ...['--unixsocket', '/tmp/redis.sock', '--save', "''", '--dir', '/tmp'],
            ]),
          },
        })
        await startHeld(host, service, go)
        await service.waitFor({
          ActiveState: 'active',
          SubState: 'running',
          StatusText: 'Ready to accept connections',
        })
        await service.waitForOutput('Ready to accept connections')
        await stopCleanly(host, service, go)
      },
      NEWEST,
    )

    scenario(
      'others',
      'haproxy -Ws: its MAINPID= stays behind, its READY=1 and STATUS= arrive',
      async (host, engine) => {
        const go = `${CONTROL_FOLDER}/haproxy-${engine}`
        const service = await BridgedService.write(host, engine, 'haproxy', {
          settings: TELLS_ENDING,
          container: {
            image: 'haproxy',
            argv: whenTold(`/control/haproxy-${engine}`, [
              'haproxy',
              '-Ws',
              '-f',
              '/srv/haproxy.cfg',
            ]),
          },
        })
        await startHeld(host, service, go)
        const { MainPID } = await service.show('MainPID')
        await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusText: 'Ready.' })
        expect(await service.show('MainPID')).toEqual({ MainPID })
        await host.machine.run('kill', ['-USR1', MainPID!])
        await service.waitForOutput('dropped fields: 1 not-allowed\n')
        await stopCleanly(host, service, go)
      },
      NEWEST,
    )
  },
  { prepare: addDaemons },
)

async function addDaemons(host: ContainerHost): Promise<void> {
  if (!host.engines.includes('docker')) return
  await writeFile(host.machine.path('/srv/haproxy.cfg'), HAPROXY)
  await host.addImage('redis', { files: ['/usr/bin/redis-server'] })
  await host.addImage('haproxy', { files: ['/usr/sbin/haproxy', '/srv/haproxy.cfg'] })
}

const HAPROXY = `global
  maxconn 20
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend web
  bind unix@/tmp/web.sock
  http-request return status 200
`

/** The program as it is, as process 1, once a file is there: else nobody could see that the unit was not active before. */
function whenTold(file: string, program: string[]): string[] {
  return [
    'sh',
    '-c',
    `echo held; until [ -e ${file} ]; do sleep 0.1; done; exec ${program.join(' ')}`,
  ]
}

async function startHeld(
  { machine }: ContainerHost,
  service: BridgedService,
  go: string,
): Promise<void> {
  await service.systemctl('start', '--no-block')
  await service.waitFor({ ActiveState: 'activating', SubState: 'start' })
  await service.waitForOutput('held\n')
  expect(await service.show('ActiveState')).toEqual({ ActiveState: 'activating' })
  await machine.run('touch', [go])
}

async function stopCleanly(
  { machine }: ContainerHost,
  service: BridgedService,
  go: string,
): Promise<void> {
  await machine.run('rm', [go])
  await service.systemctl('stop')
  await service.waitForOutput('ended: success ')
}
