import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import { KNOWS_LAUNCHER, writeLauncher } from './containers/runtime-launcher.js'

describeContainers(
  'sdbridge runtime',
  (scenario) => {
    scenario(
      'S29',
      'sockets of systemd are there, in order, by name, and serve',
      async (host, engine) => {
        const { machine } = host
        const service = await BridgedService.write(host, engine, 'by-runtime', {
          settings: 'FileDescriptorStoreMax=10',
        })
        const socket = await writeSocket(host, service)
        await machine.systemctl('start', socket)
        const client = connect(machine.path(`/run/${service.id}.web`))
        client.write('anybody there?')
        const answer = text(client)
        const payload = await service.payload()
        await payload.send('READY=1')
        expect(await payload.listenFds()).toEqual([{ name: 'web', content: 'socket' }])
        expect(await payload.serveOne(3, 'a container')).toBe('anybody there?')
        expect(await answer).toBe('a container')
        await service.waitFor({ ActiveState: 'active' })
        await machine.run('systemctl', ['stop', socket])
      },
      ['docker'],
    )
  },
  {
    dockerd: [KNOWS_LAUNCHER],
    prepare: writeLauncher,
  },
)

async function writeSocket({ machine }: ContainerHost, service: BridgedService): Promise<string> {
  const name = `${service.id}-web.socket`
  await machine.writeUnit(
    name,
    `[Socket]\nListenStream=/run/${service.id}.web\nFileDescriptorName=web\nRemoveOnStop=yes\nService=${service.unit}\n`,
  )
  return name
}
