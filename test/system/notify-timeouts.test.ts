import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, test } from 'vitest'
import { describeOnEachSystemd } from './machines.js'
import type { RemoteProcess } from './remote/remote-process.js'
import { RemoteService } from './remote/remote-service.js'

const UNITS = {
  slowStart: 'TimeoutStartSec=1500ms',
  longStart: 'TimeoutStartSec=1500ms',
  brokenPromise: 'TimeoutStartSec=1500ms',
  slowStop: 'TimeoutStopSec=1',
  longStop: 'TimeoutStopSec=1',
  run: 'RuntimeMaxSec=1500ms',
  watched: 'WatchdogSec=1500ms',
  reloaded: 'TimeoutStartSec=1500ms',
}

// At the same time, because all they do is wait.
describeOnEachSystemd('a timeout', (machine) => {
  const services = {} as Record<keyof typeof UNITS, RemoteService>

  // All before the first is started: see the last test.
  beforeAll(async () => {
    for (const [name, settings] of Object.entries(UNITS)) {
      services[name as keyof typeof UNITS] = await RemoteService.write(machine(), name, settings)
    }
  })

  test.concurrent('of a start, without EXTEND_TIMEOUT_USEC=: the service fails', async () => {
    const main = await services.slowStart.start()
    await main.ended
    await services.slowStart.waitFor({ ActiveState: 'failed', Result: 'timeout' })
  })

  test.concurrent('of a start: waits as long as EXTEND_TIMEOUT_USEC= comes', async () => {
    const main = await services.longStart.start()
    await extendFor(main, 3500)
    await services.longStart.waitFor({ ActiveState: 'activating' })
    await main.run(({ notify }) => notify.ready())
    await services.longStart.waitFor({ ActiveState: 'active', Result: 'success' })
  })

  test.concurrent('of a start: waits as long as was asked for, and no longer', async () => {
    const main = await services.brokenPromise.start()
    await main.run(({ notify }) => notify.notify({ extendTimeoutUsec: 3_000_000 }))
    await delay(2000)
    await services.brokenPromise.waitFor({ ActiveState: 'activating', SubState: 'start' })
    await main.ended
    await services.brokenPromise.waitFor({ ActiveState: 'failed', Result: 'timeout' })
  })

  test.concurrent('of a stop, without EXTEND_TIMEOUT_USEC=: the process is killed', async () => {
    const main = await services.slowStop.startReady()
    await main.run(() => void process.on('SIGTERM', () => {}))
    await services.slowStop.systemctl('stop', '--no-block')
    await main.ended
    await services.slowStop.waitFor({ ActiveState: 'failed', Result: 'timeout' })
  })

  test.concurrent('of a stop: waits as long as EXTEND_TIMEOUT_USEC= comes', async () => {
    const main = await services.longStop.startReady()
    await main.run(({ kept, once }) => void (kept['stop'] = once(process, 'SIGTERM')))
    await services.longStop.systemctl('stop', '--no-block')
    await main.run(({ kept, notify }) => kept['stop'].then(() => notify.stopping()))
    await extendFor(main, 3500)
    await services.longStop.waitFor({ SubState: 'stop-sigterm' })
    await main.runToTheEnd(() => process.exit())
    await services.longStop.waitFor({ ActiveState: 'inactive', Result: 'success' })
  })

  test.concurrent('of a run: RuntimeMaxSec= waits too', async () => {
    const main = await services.run.startReady()
    await extendFor(main, 3000)
    await services.run.waitFor({ ActiveState: 'active' })
    await main.ended
    await services.run.waitFor({ ActiveState: 'failed', Result: 'timeout' })
  })

  test.concurrent('of the watchdog: it waits too', async () => {
    const main = await services.watched.startReady()
    await extendFor(main, 3000)
    await services.watched.waitFor({ ActiveState: 'active' })
    await main.ended
    await services.watched.waitFor({ ActiveState: 'failed', Result: 'watchdog' })
  })

  test('a daemon-reload forgets what was asked for: so it is better asked for often', async () => {
    const main = await services.reloaded.start()
    await main.run(({ notify }) => notify.notify({ extendTimeoutUsec: 600_000_000 }))
    await delay(2000)
    await services.reloaded.waitFor({ ActiveState: 'activating', SubState: 'start' })
    await machine().systemctl('daemon-reload')
    await main.ended
    await services.reloaded.waitFor({ ActiveState: 'failed', Result: 'timeout' })
  })
})

/** Has a process ask for more time again and again, until so many milliseconds are over. */
async function extendFor(main: RemoteProcess, durationMs: number): Promise<void> {
  await main.run(async ({ notify }, ms) => {
    const end = performance.now() + ms
    while (performance.now() < end) {
      await notify.extendTimeout(1500)
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }, durationMs)
}
