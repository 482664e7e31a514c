import { expect, test } from 'vitest'
import { installExample } from './install-example.js'
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
    const restarted = machine().systemctl('restart', 'app.service')
    const answers = await Promise.all([get(machine()), get(machine()), restarted])
    const { MainPID: after, NRestarts } = await machine().show('app.service')
    expect(after).not.toBe(before)
    expect(NRestarts).toBe('0')
    expect(answers[0]).toContain('Hello')
    expect(answers[1]).toContain('Hello')
    expect(await get(machine())).toContain(`of process ${after})`)
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
