import { expect, test, vi } from 'vitest'
import { describeOnEachSystemd } from './machines.js'
import type { RemoteProcess } from './remote/remote-process.js'
import { RemoteService } from './remote/remote-service.js'
import { sendRaw } from './remote/send-raw.js'

describeOnEachSystemd('a reload', (machine) => {
  test('that the service begins itself: RELOADING=1 until READY=1', async () => {
    const service = await RemoteService.write(machine(), 'by-itself')
    const main = await service.startReady()
    await main.run(({ notify }) => notify.notify({ reloading: true, status: 'once more' }))
    await service.waitFor({ ActiveState: 'reloading', StatusText: 'once more' })
    await main.run(({ notify }) => notify.notify({ ready: true }))
    await service.waitFor({ ActiveState: 'active', SubState: 'running', ReloadResult: 'success' })
  })

  test('that is asked for twice while it goes on: one READY=1 ends it', async () => {
    const service = await RemoteService.write(machine(), 'twice')
    const main = await service.startReady()
    await main.run(({ notify }) => notify.notify({ reloading: true }))
    await main.run(({ notify }) => notify.notify({ reloading: true }))
    await service.waitFor({ ActiveState: 'reloading' })
    await main.run(({ notify }) => notify.notify({ ready: true }))
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
  })

  test('longer than the timeout: waits as long as EXTEND_TIMEOUT_USEC= comes', async () => {
    const service = await RemoteService.write(machine(), 'long', 'TimeoutStartSec=1500ms')
    const main = await service.startReady()
    await main.run(({ notify }) => notify.notify({ reloading: true }))
    await main.run(async ({ notify }) => {
      for (let i = 0; i < 8; i++) {
        await notify.extendTimeout(1500)
        await new Promise((resolve) => setTimeout(resolve, 250))
      }
    })
    await service.waitFor({ ActiveState: 'reloading' })
    await main.run(({ notify }) => notify.notify({ ready: true }))
    await service.waitFor({ ActiveState: 'active', SubState: 'running', ReloadResult: 'success' })
    expect(await machine().log()).not.toContain('long.service: Reload operation timed out.')
  })

  test('by ExecReload=, Type=notify: systemctl does not wait for the service', async () => {
    const service = await RemoteService.write(
      machine(),
      'exec-reload',
      'ExecReload=/bin/kill -HUP $MAINPID',
    )
    const main = await service.start()
    await expectHangUp(main)
    await main.run(({ notify }) => notify.ready())
    await service.waitFor({ ActiveState: 'active' })

    await service.systemctl('reload')
    await main.run(({ kept }) => kept['hangUp'])
    await main.run(({ notify }) => notify.reloading())
    await service.waitFor({ ActiveState: 'reloading' })
    await main.run(({ notify }) => notify.ready('reloaded'))
    await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusText: 'reloaded' })
  })

  test('of Type=notify-reload: systemctl waits from the signal to READY=1', async () => {
    const service = await reloadableService('notify-reload')
    if (service === undefined) return
    const main = await startReloadable(service)
    let isOver = false
    const reload = service.systemctl('reload').then(() => (isOver = true))
    await main.run(({ kept }) => kept['hangUp'])
    await service.waitFor({ ActiveState: 'reloading', SubState: 'reload-signal' })
    await main.run(({ notify }) => notify.notify({ reloading: true }))
    await service.waitFor({ ActiveState: 'reloading', SubState: 'reload-notify' })
    expect(isOver).toBe(false)
    await main.run(({ notify }) => notify.notify({ ready: true, status: 'reloaded' }))
    await reload
    expect(await service.show('ActiveState', 'StatusText', 'ReloadResult')).toEqual({
      ActiveState: 'active',
      StatusText: 'reloaded',
      ReloadResult: 'success',
    })
  })

  test.concurrent('without an end: times out, and the service lives on', async () => {
    const service = await RemoteService.write(machine(), 'endless', 'TimeoutStartSec=2')
    const main = await service.startReady()
    await main.run(({ notify }) => notify.notify({ reloading: true }))
    await service.waitForLog('Reload operation timed out.')
    // Before 259 a RELOADING=1 without an end begins again each time it has timed out.
    const ActiveState = (await machine().systemdVersion()) >= 259 ? 'active' : 'reloading'
    await service.waitFor({ ActiveState, ReloadResult: 'timeout', MainPID: `${main.pid}` })
    await main.run(({ notify }) => notify.notify({ ready: true }))
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
  })

  test.concurrent.each([
    ['no-stamp', 'without a MONOTONIC_USEC=', 'RELOADING=1'],
    ['old-stamp', 'with one from before', 'RELOADING=1\nMONOTONIC_USEC=1'],
    ['no-reloading', 'without RELOADING=1', 'STATUS=at once'],
  ])('of Type=notify-reload, %s: %s it times out', async (name, _, begin) => {
    const service = await reloadableService(name, 'TimeoutStartSec=2')
    if (service === undefined) return
    const main = await startReloadable(service)
    const reload = service.systemctl('reload').catch((error: Error) => error.message)
    await main.run(({ kept }) => kept['hangUp'])
    await sendRaw(main, begin)
    await main.run(({ notify }) => notify.notify({ ready: true }))
    await service.waitFor({ ActiveState: 'reloading', SubState: 'reload-signal' })
    expect(await reload).toContain('Job for')
    await service.waitFor({ ActiveState: 'active', ReloadResult: 'timeout', Result: 'success' })
  })

  test('of Type=notify-reload: since 262 a READY=1 without a handler for SIGHUP is refused', async () => {
    const service = await reloadableService('no-handler')
    if (service === undefined) return
    const main = await service.start()
    // The refusal may well be quicker than the answer.
    main.run(({ notify }) => notify.ready()).catch(() => {})
    if ((await machine().systemdVersion()) < 262) {
      await service.waitFor({ ActiveState: 'active' })
      return
    }
    await service.waitFor({ ActiveState: 'failed', Result: 'protocol' })
    await service.waitForLog(`Main process ${main.pid} lacks handler for reload signal HUP`)
  })

  /** None where the manager does not know the type, as its log then says. */
  async function reloadableService(
    name: string,
    settings = '',
  ): Promise<RemoteService | undefined> {
    const service = await RemoteService.write(machine(), name, `Type=notify-reload\n${settings}`)
    if ((await machine().systemdVersion()) >= 253) return service
    // It reads a unit's file when somebody asks for the unit.
    await service.show('Type')
    const message = new RegExp(`/${service.unit}:\\d+: Failed to parse service type, ignoring`)
    await vi.waitFor(async () => expect(await machine().log()).toMatch(message), 10_000)
    return undefined
  }
})

async function startReloadable(service: RemoteService): Promise<RemoteProcess> {
  const main = await service.start()
  // Before READY=1, which is refused without a handler for the signal.
  await expectHangUp(main)
  await main.run(({ notify }) => notify.ready())
  await service.waitFor({ ActiveState: 'active' })
  return main
}

/** `kept.hangUp` is there when SIGHUP has arrived. */
async function expectHangUp(main: RemoteProcess): Promise<void> {
  await main.run(({ kept, once }) => {
    kept['hangUp'] = once(process, 'SIGHUP').then(() => {})
  })
}
