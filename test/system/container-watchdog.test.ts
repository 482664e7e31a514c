import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import { describeContainers } from './containers/describe-containers.js'

describeContainers('a container under watch', (scenario) => {
  scenario('S8', 'pings keep the unit alive; their end ends it', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'watched', {
      settings: 'WatchdogSec=2',
    })
    const payload = await service.start()
    expect(await payload.environment()).toMatchObject({ WATCHDOG_USEC: '2000000' })
    await payload.send('READY=1')
    const { MainPID } = await service.show('MainPID')
    await payload.ping('WATCHDOG=1', { count: 14, intervalMs: 500 })
    expect(await service.show('ActiveState', 'MainPID')).toEqual({ ActiveState: 'active', MainPID })
    // No more from here on: it is the payload that pings, and nobody for it.
    await payload.ended
    expect(payload.signals).toEqual(['SIGABRT'])
    await service.waitFor({ ActiveState: 'failed', Result: 'watchdog' })
  })

  scenario('S8', 'WATCHDOG=trigger and WATCHDOG_USEC=', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'triggered')
    const payload = await service.startReady()
    await payload.send('WATCHDOG_USEC=3600000000')
    await service.waitFor({ WatchdogUSec: '1h' })
    await payload.send('WATCHDOG=trigger\nSTATUS=out of ideas')
    await payload.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'watchdog', StatusText: 'out of ideas' })
  })

  scenario('S9', 'the payload hears of it, and says when it is over', async (host, engine) => {
    const isOld = (await host.machine.systemdVersion()) < 253
    const service = await BridgedService.write(host, engine, 'reloaded', {
      settings: isOld ? 'ExecReload=kill -HUP $MAINPID' : 'Type=notify-reload',
    })
    const payload = await service.startReady()
    await payload.outlive('SIGHUP')
    const reloaded = service.systemctl('reload')
    await expect.poll(() => payload.signals, { timeout: 20_000 }).toEqual(['SIGHUP'])
    // With ExecReload= the payload's own word comes late, and counts all the same.
    const usec = await payload.monotonicUsec()
    await payload.send(`RELOADING=1\nMONOTONIC_USEC=${usec}\nSTATUS=reloading`)
    await service.waitFor({ ActiveState: 'reloading', StatusText: 'reloading' })
    await payload.send('READY=1\nSTATUS=reloaded')
    await reloaded
    await service.waitFor({ ActiveState: 'active', StatusText: 'reloaded', Result: 'success' })
  })

  scenario(
    'S9',
    'a payload whose clock is another one',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'other-clock', {
        settings: 'Type=notify-reload',
        container: {
          edit: ({ linux }) => {
            linux.namespaces.push({ type: 'time' })
            linux['timeOffsets'] = { monotonic: { secs: 7200 } }
          },
        },
      })
      const payload = await service.startReady()
      await payload.outlive('SIGHUP')
      const reloaded = service.systemctl('reload')
      await expect.poll(() => payload.signals, { timeout: 20_000 }).toEqual(['SIGHUP'])
      const usec = await payload.monotonicUsec()
      expect(usec / 1e6 - process.uptime()).toBeGreaterThan(7000)
      await payload.send(`RELOADING=1\nMONOTONIC_USEC=${usec}`)
      await payload.send('READY=1\nSTATUS=reloaded')
      await reloaded
      await service.waitFor({ ActiveState: 'active', StatusText: 'reloaded', Result: 'success' })
    },
    ['runc', 'crun'],
  )
})
