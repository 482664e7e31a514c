import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { describeOnEachSystemd } from './machines.js'
import { RemoteService } from './remote/remote-service.js'

describeOnEachSystemd('the watchdog', (machine) => {
  // Alone, because the daemon-reload of another test makes the manager forget such a watchdog.
  test('WATCHDOG=1 before READY=1 arms it: the duty begins there', async () => {
    const service = await RemoteService.write(machine(), 'early', 'WatchdogSec=300ms')
    const main = await service.start()
    await main.run(({ notify }) => notify.notify({ watchdog: true }))
    await main.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'watchdog' })
  })

  // The others at the same time, because most of them wait for an interval to end.
  test.concurrent('WATCHDOG=1 begins another interval', async () => {
    const service = await RemoteService.write(machine(), 'pinged', 'WatchdogSec=60')
    const main = await service.startReady()
    const lastPing = async () =>
      Number((await service.show('WatchdogTimestampMonotonic'))['WatchdogTimestampMonotonic'])
    const atReady = await lastPing()
    await main.run(({ notify }) => notify.notify({ watchdog: true }))
    expect(await lastPing()).toBeGreaterThan(atReady)
  })

  test.concurrent(
    'WATCHDOG=trigger ends the service at once, without WatchdogSec= too',
    async () => {
      const service = await RemoteService.write(machine(), 'trigger')
      const main = await service.startReady('out of ideas')
      await main.runToTheEnd(({ notify }) => notify.notify({ watchdog: 'trigger' }))
      await service.waitFor({ ActiveState: 'failed', Result: 'watchdog' })
      // SIGABRT, by which the watchdog ends what it ends.
      expect(await service.show('ExecMainStatus')).toEqual({ ExecMainStatus: '6' })
      await service.waitForLog('Watchdog request')
    },
  )

  test.concurrent('WATCHDOG_USEC= shortens the interval of a running service', async () => {
    const service = await RemoteService.write(machine(), 'shorter', 'WatchdogSec=600')
    const main = await service.startReady()
    await main.run(({ notify }) => notify.notify({ watchdogUsec: 300_000 }))
    expect(await service.show('WatchdogUSec')).toEqual({ WatchdogUSec: '300ms' })
    await main.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'watchdog' })
  })

  test.concurrent('WATCHDOG_USEC= begins a watchdog where the unit has none', async () => {
    const service = await RemoteService.write(machine(), 'own-interval')
    const main = await service.startReady()
    await main.run(({ notify }) => notify.notify({ watchdogUsec: 300_000n }))
    await main.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'watchdog' })
  })

  test.concurrent.each([
    ['0', 'zero', 0],
    ['infinity', 'infinity', 'infinity'],
  ] as const)('WATCHDOG_USEC= of %s turns it off', async (_, name, watchdogUsec) => {
    const service = await RemoteService.write(machine(), name, 'WatchdogSec=500ms')
    const main = await service.start()
    // With READY=1, at which the first interval begins.
    await main.run(
      ({ notify }, usec) => notify.notify({ ready: true, watchdogUsec: usec }),
      watchdogUsec,
    )
    await delay(1000)
    expect(await service.show('ActiveState', 'MainPID')).toEqual({
      ActiveState: 'active',
      MainPID: `${main.pid}`,
    })
  })
})
