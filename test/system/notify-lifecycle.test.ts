import { expect, test } from 'vitest'
import type { Machine } from './machine/machine.js'
import { describeOnEachSystemd } from './machines.js'
import { RemoteService } from './remote/remote-service.js'

// A unit that has ended well is `inactive`, and soon forgotten, with its status; one that has not is `failed`.
describeOnEachSystemd('lifecycle()', (machine) => {
  test('start, reload and stop by systemctl', async () => {
    const service = await reloadableService(machine(), 'whole')
    const main = await service.start()
    await main.run(async ({ notify }) => {
      let reloads = 0
      await notify.lifecycle({
        start: () => 'serving',
        reload: () => `reloaded ${++reloads} times`,
        stop: (signal) => void process.stdout.write(`stopped by ${signal}\n`),
        exit: (code) => process.exit(code),
      })
    })
    await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusText: 'serving' })

    await service.systemctl('reload')
    await service.waitFor({ ActiveState: 'active', StatusText: 'reloaded 1 times' })
    await service.systemctl('reload')
    await service.waitFor({ ActiveState: 'active', StatusText: 'reloaded 2 times' })

    await service.systemctl('stop')
    await service.waitFor({ ActiveState: 'inactive' })
    await machine().waitForOutput(service.unit, 'stopped by SIGTERM')
  })

  test('without a handler for reloads, one succeeds', async () => {
    const service = await reloadableService(machine(), 'no-reload')
    const main = await service.start()
    await main.run(async ({ notify }) => void (await notify.lifecycle({})))
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
    await service.systemctl('reload')
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
  })

  test('a reload that fails: told in the status, and the service goes on', async () => {
    const service = await reloadableService(machine(), 'bad-reload')
    const main = await service.start()
    await main.run(async ({ notify, kept }) => {
      kept['isBroken'] = true
      await notify.lifecycle({
        reload: () => {
          if (kept['isBroken'] === true) throw new Error('no colon in line 3')
        },
        onError: (error) => (kept['error'] = (error as Error).message),
      })
    })
    await service.systemctl('reload')
    await service.waitFor({
      ActiveState: 'active',
      SubState: 'running',
      StatusText: 'Reload failed: no colon in line 3',
    })
    expect(await main.run(({ kept }) => kept['error'])).toBe('no colon in line 3')

    await main.run(({ kept }) => void (kept['isBroken'] = false))
    await service.systemctl('reload')
    await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusText: '' })
  })

  test('a start that fails: told in the status and ERRNO=', async () => {
    const service = await RemoteService.write(machine(), 'bad-start')
    const main = await service.start()
    const thrown = main.run(({ notify, fs }) =>
      notify.lifecycle({ start: () => fs.promises.readFile('/nowhere', 'utf8') }).then(() => {}),
    )
    await expect(thrown).rejects.toMatchObject({ code: 'ENOENT' })
    const { StatusText, StatusErrno } = await service.show('StatusText', 'StatusErrno')
    expect(StatusText).toMatch(/^Start failed: ENOENT: .*nowhere/)
    expect(StatusErrno).toBe('2')
    await main.runToTheEnd(() => process.exit(1))
    await service.waitFor({ ActiveState: 'failed', Result: 'exit-code' })
  })

  test('systemctl stop during the start: the start is aborted, and it ends well', async () => {
    const service = await RemoteService.write(machine(), 'aborted-start')
    const main = await service.start()
    await main.run(({ notify, once, kept }) => {
      kept['lifecycle'] = notify.lifecycle({
        start: (signal) => once(signal, 'abort').then(() => 'never to be seen'),
        stop: () => void process.stdout.write('stop was called\n'),
        exit: (code) => process.exit(code),
      })
    })
    await service.systemctl('stop')
    await service.waitFor({ ActiveState: 'inactive' })
    await machine().waitForOutput(service.unit, 'stop was called')
  })

  test('a stop of its own accord: the manager knows of it', async () => {
    const service = await RemoteService.write(machine(), 'own-accord')
    const main = await service.start()
    await main.run(async ({ notify, once, kept }) => {
      kept['lifecycle'] = await notify.lifecycle({
        stop: () => once(process, 'SIGUSR2').then(() => 7),
        exit: (code) => process.exit(code),
      })
    })
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
    main.run(({ kept }) => kept['lifecycle'].stop()).catch(() => {})
    await service.waitFor({ ActiveState: 'deactivating', SubState: 'stop-sigterm' })
    await main.runToTheEnd(() => process.kill(process.pid, 'SIGUSR2'))
    await service.waitFor({ ActiveState: 'failed', ExecMainStatus: '7' })
  })

  test('a stop longer than TimeoutStopSec=: it is given the time', async () => {
    const service = await RemoteService.write(machine(), 'long-stop', 'TimeoutStopSec=1')
    const main = await service.start()
    await main.run(({ notify }) =>
      notify
        .lifecycle({
          stop: () => new Promise((resolve) => setTimeout(resolve, 2500)),
          exit: (code) => process.exit(code),
        })
        .then(() => {}),
    )
    await service.systemctl('stop')
    await service.waitFor({ ActiveState: 'inactive' })
  })

  test('a stop that hangs: TimeoutStopSec= counts when stopTimeoutMs is over', async () => {
    const service = await RemoteService.write(machine(), 'hanging-stop', 'TimeoutStopSec=1')
    const main = await service.start()
    await main.run(({ notify }) =>
      notify.lifecycle({ stop: () => new Promise(() => {}), stopTimeoutMs: 500 }).then(() => {}),
    )
    await service.systemctl('stop')
    await service.waitFor({ ActiveState: 'failed', Result: 'timeout' })
  })

  test('the number that stop returns is the exit code, without `exit` too', async () => {
    const service = await RemoteService.write(machine(), 'exit-code')
    const main = await service.start()
    await main.run(async ({ notify, kept }) => {
      const { stopped } = await notify.lifecycle({ stop: () => 3 })
      kept['stopped'] = stopped
    })
    await service.systemctl('stop', '--no-block')
    await service.waitFor({ ActiveState: 'deactivating', SubState: 'stop-sigterm' })
    expect(await main.run(({ kept }) => kept['stopped'])).toBe(3)
    // Without a code of its own: what lifecycle() has set counts.
    await main.runToTheEnd(() => process.exit())
    await service.waitFor({ ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: '3' })
  })

  test('a stop that fails: told in the status and ERRNO=, and the exit code is 1', async () => {
    const service = await RemoteService.write(machine(), 'bad-stop')
    const main = await service.start()
    await main.run(({ notify }) =>
      notify
        .lifecycle({
          stop: () => {
            throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
          },
          exit: (code) => process.exit(code),
          onError: () => {},
        })
        .then(() => {}),
    )
    await service.systemctl('stop')
    await service.waitFor({
      ActiveState: 'failed',
      ExecMainStatus: '1',
      StatusText: 'Stopping failed: disk full',
      StatusErrno: '28',
    })
  })
})

/** A unit as the documentation of lifecycle() has it: of Type=notify-reload where the manager knows that. */
async function reloadableService(machine: Machine, name: string): Promise<RemoteService> {
  const settings =
    (await machine.systemdVersion()) >= 253
      ? 'Type=notify-reload'
      : 'ExecReload=/bin/kill -HUP $MAINPID'
  return RemoteService.write(machine, name, settings)
}
