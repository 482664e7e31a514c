import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { Machine } from './machine/machine.js'
import { describeOnEachSystemd } from './machines.js'
import { inside } from './repository.js'

const SERVICE = inside('test/system/fixtures/service.mjs')

describeOnEachSystemd('a Node service of Type=notify', (machine) => {
  test('is activating until READY=1, then active with its STATUS', async () => {
    await start(machine(), 'ready', ['wait-for-file'], '', { noBlock: true })
    await machine().waitFor('ready.service', { ActiveState: 'activating', SubState: 'start' })
    await writeFile(machine().path('/run/go'), '')
    await machine().waitFor('ready.service', {
      ActiveState: 'active',
      SubState: 'running',
      StatusText: 'up and running',
    })
  })

  test('cannot say anything but a status with a status text', async () => {
    await start(machine(), 'hostile', ['hostile-status'])
    const { StatusText, MainPID, ActiveState } = await machine().show(
      ...(['hostile.service', 'StatusText', 'MainPID', 'ActiveState'] as const),
    )
    expect(StatusText).toBe('one MAINPID=1 STOPPING=1\ufffd C:⧵new \ufffd end⧵')
    expect(MainPID).not.toBe('1')
    expect(ActiveState).toBe('active')
  })

  test('loses no READY=1 to a status text that is too long', async () => {
    await start(machine(), 'long', ['long-status'])
    const { StatusText } = await machine().show('long.service', 'StatusText')
    expect(StatusText).toMatch(/^ü{2000,}…$/)
  })

  test('keeps a watchdog content over three intervals, and is ended by it with SIGABRT when it blocks', async () => {
    await start(machine(), 'watched', ['count-pings'], 'WatchdogSec=1')
    await machine().waitFor('watched.service', { StatusText: '3 intervals survived' })
    const { WatchdogUSec, WatchdogTimestampMonotonic } = await machine().show('watched.service')
    expect(WatchdogUSec).toBe('1s')
    expect(Number(WatchdogTimestampMonotonic)).toBeGreaterThan(0)

    await machine().systemctl('kill', '--signal=USR1', 'watched.service')
    await machine().waitFor('watched.service', { ActiveState: 'failed', Result: 'watchdog' })
    // 6 is SIGABRT; 2 (killed) or 3 (dumped) depends on the machine's core limit.
    const { ExecMainCode, ExecMainStatus } = await machine().show('watched.service')
    expect(['2', '3']).toContain(ExecMainCode)
    expect(ExecMainStatus).toBe('6')
  })

  test('is reloaded by a signal', async () => {
    await start(machine(), 'reload', [], 'ExecReload=/bin/kill -HUP $MAINPID')
    await machine().systemctl('reload', 'reload.service')
    await machine().waitFor('reload.service', { ActiveState: 'active', StatusText: 'reloaded' })
  })

  test('of Type=notify-reload: systemctl reload returns when the reload is over', async () => {
    await start(machine(), 'notify-reload', [], 'Type=notify-reload')
    if ((await machine().systemdVersion()) < 253) {
      // This one does not know the type; the example has a drop-in for it.
      expect(await machine().log()).toMatch(/Failed to parse service type, ignoring: notify-reload/)
      return
    }
    await machine().systemctl('reload', 'notify-reload.service')
    expect(await machine().show('notify-reload.service')).toMatchObject({
      ActiveState: 'active',
      StatusText: 'reloaded',
      ReloadResult: 'success',
    })
  })

  test('says STOPPING=1 when it is stopped, and ends well', async () => {
    await start(machine(), 'stop', ['slow-stop'])
    await machine().systemctl('stop', '--no-block', 'stop.service')
    await machine().waitFor('stop.service', {
      ActiveState: 'deactivating',
      StatusText: 'going down',
    })
    await machine().waitFor('stop.service', { ActiveState: 'inactive', Result: 'success' })
  })

  test('is the only one to be heard under NotifyAccess=main', async () => {
    // 256 and newer explain a refusal at this level only; 252, at it, drops lines when there are many.
    if ((await machine().systemdVersion()) >= 256) await machine().systemctl('log-level', 'debug')
    await start(machine(), 'access-main', ['child-sends'], 'NotifyAccess=main')
    await sent(machine())
    const { StatusText } = await machine().show('access-main.service', 'StatusText')
    expect(StatusText).toBe('up and running')
    expect(await machine().log()).toMatch(
      /access-main\.service: Got notification message from PID \d+, but reception only permitted for main PID/,
    )
    await machine().systemctl('log-level', 'info')
  })

  test('is heard with its children under NotifyAccess=all', async () => {
    await start(machine(), 'access-all', ['child-sends'], 'NotifyAccess=all')
    await machine().waitFor('access-all.service', { StatusText: 'from the child' })
  })
})

async function sent(machine: Machine): Promise<void> {
  await machine.run('/bin/sh', ['-c', 'while ! [ -e /run/child-has-sent ]; do sleep 0.05; done'])
}

async function start(
  machine: Machine,
  name: string,
  behaviour: string[],
  settings = '',
  { noBlock = false } = {},
): Promise<void> {
  await machine.run('rm', ['-f', '/run/go', '/run/child-has-sent'])
  await machine.writeUnit(
    `${name}.service`,
    `[Service]
Type=notify
ExecStart=${machine.nodePath} ${SERVICE} ${behaviour.join(' ')}
LimitCORE=0
TimeoutStartSec=20
${settings}
`,
  )
  await machine.systemctl('start', ...(noBlock ? ['--no-block'] : []), `${name}.service`)
}
