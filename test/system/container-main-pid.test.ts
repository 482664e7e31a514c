import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'

const SETTINGS = 'NotifyAccess=all\nKillMode=control-group'

describeContainers('MAINPID= of a container', (scenario) => {
  scenario('S15', 'is left out, and what comes with it counts', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'pid-dropped')
    const payload = await service.start()
    const { MainPID = '' } = await service.show('MainPID')
    expect(payload.pid).toBe(1)
    await payload.send(`READY=1\nMAINPID=1\nSTATUS=as haproxy does it`)
    await service.waitFor({ ActiveState: 'active', StatusText: 'as haproxy does it', MainPID })
    await payload.send(`MAINPID=${MainPID}`)
    await payload.send('MAINPID=4194303\nSTATUS=of nobody')
    await service.waitFor({ ActiveState: 'active', StatusText: 'of nobody', MainPID })
    // The manager has seen none of them.
    expect(await host.machine.log()).not.toMatch(new RegExp(`${service.unit}:.*main PID`, 'i'))
  })

  scenario('S15', '--main-pid: is that of the same process on the host', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'pid-translated', {
      settings: SETTINGS,
      bridge: ['--main-pid'],
    })
    const payload = await service.start()
    const { MainPID: bridge = '' } = await service.show('MainPID')
    await payload.send('READY=1\nMAINPID=1\nSTATUS=handed over')
    await service.waitFor({ ActiveState: 'active', StatusText: 'handed over' })
    const { MainPID = '' } = await service.show('MainPID')
    expect(MainPID).not.toBe(bridge)
    expect(MainPID).not.toBe('1')
    expect(await commandLineOf(host, MainPID)).toContain('/payload/remote.py')

    // Of a process that is none of its own nothing is known in there, and nothing comes of it here.
    await payload.send('MAINPID=4194303\nSTATUS=of nobody')
    await service.waitFor({ StatusText: 'of nobody', MainPID, ActiveState: 'active' })
    await payload.exit(0)
    await service.waitFor({ ActiveState: 'inactive', Result: 'success' })
  })

  scenario('S15', '--main-pid: of a child of the payload', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'pid-of-child', {
      settings: SETTINGS,
      bridge: ['--main-pid'],
    })
    const payload = await service.startReady()
    const child = await payload.start(['sleep', '1000'])
    expect(child).toBeGreaterThan(1)
    await payload.send(`MAINPID=${child}\nSTATUS=a child`)
    await service.waitFor({ StatusText: 'a child', ActiveState: 'active' })
    const { MainPID = '' } = await service.show('MainPID')
    expect(await commandLineOf(host, MainPID)).toBe('sleep 1000')
  })

  scenario('S15', '--main-pid is refused where it cannot work', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'pid-refused', {
      bridge: ['--main-pid'],
    })
    await service.startToTheEnd()
    expect(await service.show('Result', 'ExecMainStatus')).toEqual({
      Result: 'exit-code',
      ExecMainStatus: '2',
    })
    expect(service.output()).toContain('NotifyAccess=all')
  })
})

async function commandLineOf({ machine }: ContainerHost, pid: string): Promise<string> {
  const { stdout } = await machine.run('cat', [`/proc/${pid}/cmdline`])
  return stdout.replaceAll('\0', ' ').trim()
}
