import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import { describeContainers } from './containers/describe-containers.js'
import { startReceiver } from './containers/receiver.js'
import { whileManagerIsStopped } from './remote/stopped-manager.js'

describeContainers('a service manager that is busy', (scenario) => {
  scenario(
    'S12',
    'a barrier is released when all before it has been read',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'barrier')
      const payload = await service.start()
      await payload.send('STATUS=before the barrier')
      await payload.sendBarrier('first')
      expect(await payload.isReleased('first', 20_000)).toBe(true)
      // The manager has taken it, so it need not be waited for.
      expect(await service.show('StatusText')).toEqual({ StatusText: 'before the barrier' })
      await payload.send('READY=1')
      await service.waitFor({ ActiveState: 'active' })
    },
  )

  scenario('S12', 'while the manager is stopped no barrier is released', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'held-barrier')
    const payload = await service.startReady()
    await whileManagerIsStopped(host.machine, async () => {
      await payload.send('STATUS=waits')
      await payload.sendBarrier('held')
      expect(await payload.isReleased('held', 1500)).toBe(false)
    })
    expect(await payload.isReleased('held', 20_000)).toBe(true)
    expect(await service.show('StatusText')).toEqual({ StatusText: 'waits' })
  })

  scenario('S12', 'systemd-notify, which waits for a barrier', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'systemd-notify')
    const payload = await service.start()
    const argv = ['systemd-notify', '--ready', '--status=by systemd-notify']
    expect(await payload.run(argv)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await service.show('ActiveState', 'StatusText')).toEqual({
      ActiveState: 'active',
      StatusText: 'by systemd-notify',
    })
    let hasReturned = false
    let notifying: Promise<unknown> | undefined
    await whileManagerIsStopped(host.machine, async () => {
      notifying = payload.run(['systemd-notify', '--status=later']).then((outcome) => {
        hasReturned = true
        return outcome
      })
      await new Promise((resolve) => setTimeout(resolve, 1000))
      expect(hasReturned).toBe(false)
    })
    expect(await notifying).toMatchObject({ code: 0 })
    expect(await service.show('StatusText')).toEqual({ StatusText: 'later' })
  })

  scenario(
    'S12',
    'a barrier with other lines is none, and holds nobody up',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'mixed-barrier')
      const payload = await service.startReady()
      await payload.sendBarrier('mixed', 'BARRIER=1\nSTATUS=mixed')
      expect(await payload.isReleased('mixed', 20_000)).toBe(true)
      await payload.send('STATUS=next')
      await service.waitFor({ StatusText: 'next', ActiveState: 'active' })
    },
  )

  scenario(
    'S20',
    'daemon-reexec: nothing is lost, and nothing comes twice',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'reexec', {
        settings: 'WatchdogSec=60\nFileDescriptorStoreMax=5',
      })
      const payload = await service.start()
      const { MainPID } = await service.show('MainPID')
      let isOver = false
      let count = 0
      // The service manager takes none above 4095.
      const errno = (): number => count % 4096
      const conversation = (async () => {
        // systemd 252 forgets the number of the last one in front.
        for (let isLast = false; !isLast || count < 200;) {
          isLast = isOver
          count++
          await payload.send(`ERRNO=${errno()}\nSTATUS=${count}`)
        }
        await payload.sendBarrier('after')
        return payload.isReleased('after', 30_000)
      })()
      await host.machine.run('systemctl', ['daemon-reexec'], { timeoutMs: 60_000 })
      isOver = true
      expect(await conversation).toBe(true)
      expect(await service.show('StatusErrno', 'StatusText', 'ActiveState', 'MainPID')).toEqual({
        StatusErrno: `${errno()}`,
        StatusText: `${count}`,
        ActiveState: 'activating',
        MainPID,
      })
      await payload.openMemory('kept', 'content')
      await payload.send('READY=1\nFDSTORE=1\nFDNAME=kept', { files: ['kept'] })
      await service.waitFor({ ActiveState: 'active', NFileDescriptorStore: '1' })
    },
  )

  scenario('S20', 'a manager that is not there yet', async (host, engine) => {
    const address = `/run/late-${engine}`
    const receiver = await startReceiver(host, address, { isBound: false })
    const service = await BridgedService.write(host, engine, 'early', {
      settings: `Type=exec\nNotifyAccess=none\nEnvironment=NOTIFY_SOCKET=${address}`,
    })
    const payload = await service.start()
    await payload.send('READY=1\nSTATUS=said to nobody')
    await payload.send('STATUS=latest')
    expect(await payload.floodUntilFull('WATCHDOG=1', 20)).toBe(20)
    await receiver.payload.bind(address)
    expect((await receiver.payload.receive()).text.trimEnd()).toBe('READY=1\nSTATUS=said to nobody')
    const rest = [(await receiver.payload.receive()).text, (await receiver.payload.receive()).text]
    expect(rest.map((text) => text.trimEnd()).toSorted()).toEqual(['STATUS=latest', 'WATCHDOG=1'])
    await receiver.end()
  })
})
