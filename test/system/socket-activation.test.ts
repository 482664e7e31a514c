import { expect, test } from 'vitest'
import { changeGreeting, installExample } from './install-example.js'
import type { Machine } from './machine/machine.js'
import { describeOnEachSystemd } from './machines.js'
import { inside } from './repository.js'

const GET = inside('test/system/fixtures/get.mjs')

describeOnEachSystemd('the example service with its socket unit', (machine) => {
  test('is started by the first connection, and answers it', async () => {
    await installExample(machine())
    const before = await machine().show('app.service', 'ActiveState')
    expect(before).toEqual({ ActiveState: 'inactive' })

    expect(await get(machine())).toMatch(/^Hello from sdbridge \(request 1 of process \d+\)$/)
    const { ActiveState, StatusText, MainPID } = await machine().show('app.service')
    expect(ActiveState).toBe('active')
    expect(StatusText).toMatch(/requests/)
    expect(await get(machine())).toContain(`of process ${MainPID})`)
  })

  test('survives a restart, in which a connection waits', async () => {
    const { MainPID: before } = await machine().show('app.service', 'MainPID')
    await machine().writeUnit('app.service.d/slow.conf', '[Service]\nExecStartPre=/bin/sleep 1\n')
    await machine().systemctl('restart', '--no-block', 'app.service')
    await machine().waitFor('app.service', { SubState: 'start-pre' })
    // Nobody but the manager has the socket now.
    const answer = await get(machine())
    const { MainPID: after } = await machine().show('app.service', 'MainPID')
    expect(after).not.toBe(before)
    expect(answer).toContain(`request 1 of process ${after})`)
  })

  test('reads its greeting again when it is reloaded', async () => {
    const { MainPID } = await machine().show('app.service', 'MainPID')
    await changeGreeting(machine(), 'Good day')
    await machine().systemctl('reload', 'app.service')
    await machine().waitFor('app.service', { ActiveState: 'active' })
    await expect.poll(() => get(machine())).toContain(`Good day (request`)
    expect(await machine().show('app.service', 'MainPID')).toEqual({ MainPID })
  })

  test('stops, and is started again by the next connection', async () => {
    await machine().systemctl('stop', 'app.service')
    await machine().waitFor('app.service', { ActiveState: 'inactive', Result: 'success' })
    expect(await get(machine())).toContain('request 1 of')
  })

  test('is restarted after its watchdog ended it', async () => {
    const { MainPID } = await machine().show('app.service', 'MainPID')
    const blocked = machine().run(machine().nodePath, [GET, 'http://127.0.0.1:8080/block'], {
      allowFailure: true,
    })
    await machine().waitFor(
      'app.service',
      { NRestarts: '1', ActiveState: 'active' },
      {
        timeoutMs: 20_000,
      },
    )
    await blocked
    const now = await machine().show('app.service', 'MainPID')
    expect(now.MainPID).not.toBe(MainPID)
    expect(await machine().log()).toMatch(/app\.service: Watchdog timeout/)
  })
})

async function get(machine: Machine): Promise<string> {
  const { stdout } = await machine.run(machine.nodePath, [GET, 'http://127.0.0.1:8080/'])
  return stdout.trim()
}
