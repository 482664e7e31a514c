import { writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { Load } from './clients/load.js'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import { KNOWS_LAUNCHER, writeLauncher } from './containers/runtime-launcher.js'
import { inside } from './repository.js'

const WEB_SERVICE = inside('test/system/fixtures/web-service.mjs')
const GET = inside('test/system/fixtures/get.mjs')
const RESTARTS = 3
const REQUESTS_BETWEEN = 100

/** A container without a network of its own. */
const ALONE = { options: ['--network=none'] }

describeContainers(
  'servers in docker, on sockets of systemd',
  (scenario) => {
    scenario(
      'S29',
      'haproxy, as it is in Debian, sees who its client is',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'haproxy', {
          container: {
            ...ALONE,
            image: 'haproxy',
            argv: ['haproxy', '-Ws', '-f', '/etc/haproxy.cfg'],
            mounts: { '/etc/haproxy.cfg': '/srv/haproxy.cfg' },
          },
        })
        await listenAt(host, service, 8001)
        expect(await get(host, 'http://127.0.0.1:8001/')).toBe('you are 127.0.0.1')
        await service.waitFor({ ActiveState: 'active', SubState: 'running' })
        await stopListening(host, service)
      },
      ['docker'],
    )

    scenario(
      'S29',
      'a Node service with @sdbridge/listen-fds sees who its client is',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'node', nodeService(host))
        await listenAt(host, service, 8002)
        expect(await get(host, 'http://127.0.0.1:8002/address')).toBe('127.0.0.1')
        await stopListening(host, service)
      },
      ['docker'],
    )

    scenario(
      'S29',
      'systemctl restart under load loses no connection',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'load', nodeService(host))
        await listenAt(host, service, 8003)
        const { requests, failures, answers } = await restarted(new Load(host.machine, 8003), () =>
          service.systemctl('restart'),
        )
        expect(failures).toEqual({})
        expect(requests).toBeGreaterThanOrEqual((RESTARTS + 1) * REQUESTS_BETWEEN)
        // Each container had its share.
        expect(Object.keys(answers)).toHaveLength(RESTARTS + 1)
        await stopListening(host, service)
      },
      ['docker'],
    )

    scenario(
      'S13',
      'a listening socket that the payload has stored is its own again after systemctl restart',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'own-socket', {
          ...nodeService(host, ['/shared/web.sock', 'rename', 'store']),
          settings: 'FileDescriptorStoreMax=4',
        })
        await host.machine.run('mkdir', ['-p', '/srv/shared'])
        await service.systemctl('start')
        await service.waitFor({ NFileDescriptorStore: '1' })
        const load = new Load(host.machine, '/srv/shared/web.sock')
        await load.more(REQUESTS_BETWEEN)
        await service.systemctl('restart')
        await load.more(REQUESTS_BETWEEN)
        const { failures, answers } = await load.end()
        expect(failures).toEqual({})
        expect(Object.keys(answers)).toHaveLength(2)
      },
      ['docker'],
    )
  },
  {
    dockerd: [KNOWS_LAUNCHER],
    prepare: async (host) => {
      if (!host.engines.includes('docker')) return
      await writeLauncher(host)
      await host.addImage('haproxy', { files: ['/usr/sbin/haproxy'] })
      await writeFile(host.machine.path('/srv/haproxy.cfg'), HAPROXY)
    },
  },
)

const HAPROXY = `defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend web
  bind fd@3
  http-request return status 200 content-type text/plain lf-string "you are %[src]"
`

function nodeService(
  { machine }: ContainerHost,
  words: string[] = ['nowhere'],
): Parameters<typeof BridgedService.write>[3] {
  return {
    container: {
      ...ALONE,
      // With the libraries that node is linked with.
      mounts: { '/usr': '/usr', '/srv': '/srv', '/shared': '/srv/shared' },
      argv: [machine.nodePath, WEB_SERVICE, ...words],
    },
  }
}

async function listenAt(
  { machine }: ContainerHost,
  { id, unit }: BridgedService,
  port: number,
): Promise<void> {
  await machine.writeUnit(
    `${id}.socket`,
    `[Socket]\nListenStream=127.0.0.1:${port}\nFileDescriptorName=web\nService=${unit}\n`,
  )
  await machine.systemctl('start', `${id}.socket`)
}

async function stopListening({ machine }: ContainerHost, { id }: BridgedService): Promise<void> {
  await machine.systemctl('stop', `${id}.socket`)
}

async function get({ machine }: ContainerHost, url: string): Promise<string> {
  return (await machine.run(machine.nodePath, [GET, url])).stdout
}

async function restarted(load: Load, restart: () => Promise<unknown>): ReturnType<Load['end']> {
  for (let count = 0; count < RESTARTS; count++) {
    await load.more(REQUESTS_BETWEEN)
    await restart()
  }
  await load.more(REQUESTS_BETWEEN)
  return load.end()
}
