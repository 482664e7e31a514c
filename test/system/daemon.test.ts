import { expect, test } from 'vitest'
import { DaemonHost } from './daemon/daemon-host.js'
import { describeOnEachSystemd } from './machines.js'

describeOnEachSystemd('sdbridge daemon', (machine) => {
  let host: DaemonHost

  test('is installed, started by its socket, and ready', async () => {
    host = await DaemonHost.install(machine(), ['web*.service'])
    await host.waitFor('sdbridge.service', {
      ActiveState: 'active',
      StatusText: 'Bridging 0 containers',
    })
  })

  test('a unit’s container makes it ready, in the name of its main process', async () => {
    await host.writeService('web')
    await host.start('web')
    await host.send('web', 'READY=1\nSTATUS=from within')
    await host.waitFor('web.service', { ActiveState: 'active', StatusText: 'from within' })
    await host.waitFor('sdbridge.service', { StatusText: 'Bridging 1 container' })
    expect(await host.list()).toMatchObject([
      { name: 'web', unit: 'web.service', state: 'ready', status: 'from within', forwarded: 1 },
    ])
  })
})
