import { writeFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { ContainerHost } from './containers/container-host.js'
import { type CopiedUnit, unitOfExample, unitsOfPage } from './containers/copied-units.js'
import { expectNothingLeft, type Inventory, takeInventory } from './containers/leftovers.js'
import { UserManager } from './containers/user-manager.js'
import { installContainerExample, installSdbridge } from './install-container-example.js'
import { Machine } from './machine/machine.js'
import { describeOnEachSystemd } from './machines.js'
import { inside, repositoryBind } from './repository.js'

const LONGEST_TEST_MS = 120_000
const GET = inside('test/system/fixtures/get.mjs')
const IMAGE = 'registry.example/web:1'

describeOnEachSystemd('examples/container-runc, its files as they are', (machine) => {
  beforeAll(() => installSdbridge(machine()))

  test('is started by its socket, watched, reloaded and stopped, and leaves nothing', async () => {
    await installContainerExample(machine())
    expect(await machine().show('web.service', 'ActiveState')).toEqual({ ActiveState: 'inactive' })
    const { stdout } = await machine().run(machine().nodePath, [GET, 'http://127.0.0.1:8080/'])
    expect(stdout).toBe('Hello from process 1, user 65534\n')
    await machine().waitFor('web.service', { ActiveState: 'active', SubState: 'running' })
    await expectToBeReloadedAndStopped(machine())
    await machine().systemctl('stop', 'web.socket')
    const { stdout: containers } = await machine().run('runc', ['list', '--quiet'])
    expect(containers).toBe('')
  })
})

describe.skipIf(inject('newestRoot') === undefined)('units that somebody may copy', () => {
  let machine: Machine
  let host: ContainerHost
  let before: Inventory
  let units: string[] = []

  beforeAll(async () => {
    machine = await Machine.boot({ root: inject('newestRoot')!, binds: [repositoryBind] })
    host = await ContainerHost.prepare(machine, ['docker', 'podman', 'runc', 'crun'])
    await installSdbridge(machine)
    await host.addImage('node', { files: ['/usr/bin/node'] })
    await host.importImage(IMAGE, 'payload', ['CMD ["/payload/c-service"]'])
    await host.runOnce()
    before = await takeInventory(host)
  }, LONGEST_TEST_MS)

  afterEach(async () => {
    if (units.length > 0) {
      await machine.run('systemctl', ['stop', ...units], { allowFailure: true })
      await machine.run('sh', ['-c', 'cd /run/systemd/system && rm -r "$@"', 'sh', ...units])
      await machine.systemctl('daemon-reload')
    }
    units = []
    await expectNothingLeft(host, before)
  }, LONGEST_TEST_MS)

  afterAll(() => machine?.halt())

  const install = async (...copied: CopiedUnit[]): Promise<void> => {
    for (const { name, text } of copied) {
      units.push(name)
      await machine.writeUnit(name, text)
    }
  }

  /** A bundle where the guide's units have it, with the payload of the other engines' image. */
  const makeBundle = async (engine: 'runc' | 'crun'): Promise<void> => {
    const config = await host.bundleTemplate(engine)
    Object.assign(config.process, { terminal: false, args: ['/payload/c-service'] })
    config.root.path = '/srv/images/payload'
    await machine.run('mkdir', ['-p', '/srv/web'])
    await writeFile(machine.path('/srv/web/config.json'), JSON.stringify(config))
  }

  describe('docs/guide/containers.md', { timeout: LONGEST_TEST_MS }, () => {
    test('docker', async () => {
      await install(...unitsOfPage('containers.md', 'docker run'))
      await expectConversation(machine, 'web')
    })

    test('podman, with its socket', async () => {
      await install(...unitsOfPage('containers.md', '--network none'))
      await install(...unitsOfPage('containers.md', 'ListenStream=8080'))
      await machine.systemctl('start', 'web.service')
      expect(machine.output('web.service')).toContain('watchdog 1 of 10000000 us, 1 descriptors')
      await expectToBeReloadedAndStopped(machine)
    })

    test('runc, with its socket', async () => {
      await makeBundle('runc')
      await install(...unitsOfPage('containers.md', 'runc run'))
      await install(...unitsOfPage('containers.md', 'ListenStream=8080'))
      await machine.systemctl('start', 'web.service')
      expect(machine.output('web.service')).toContain('watchdog 1 of 10000000 us, 1 descriptors')
      await expectToBeReloadedAndStopped(machine)
    })

    test('crun', async () => {
      await makeBundle('crun')
      await install(...unitsOfPage('containers.md', 'crun run'))
      await expectConversation(machine, 'web-crun')
      await machine.systemctl('start', 'web-crun')
    })

    test('podman, as a user', async () => {
      const [unit] = unitsOfPage('containers.md', 'rootless')
      const user = await UserManager.start(machine)
      await user.importImage(IMAGE, '/srv/images/payload', 'CMD ["/payload/c-service"]')
      await user.writeUnit(unit!.name, unit!.text)
      await user.systemctl('start', 'web.service')
      await user.systemctl('reload', 'web.service')
      await expect.poll(() => user.systemctl('show', '-PStatusText', 'web')).toBe('reloaded\n')
      expect(await user.systemctl('show', '-PNFileDescriptorStore', 'web')).toBe('1\n')
      await user.systemctl('stop', 'web.service')
      expect(await user.systemctl('show', '-PResult', 'web')).toBe('success\n')
      expect(await user.run('podman', 'ps', '--all', '--quiet')).toBe('')
      await user.end()
    })
  })
})

/** A payload in C with libsystemd is active, watched, stores a descriptor, reloads, and is there again when the bridge was killed. */
async function expectConversation(machine: Machine, name: string): Promise<void> {
  const unit = `${name}.service`
  await machine.systemctl('start', unit)
  expect(await machine.show(unit, 'ActiveState', 'StatusText')).toEqual({
    ActiveState: 'active',
    StatusText: 'written in C',
  })
  await machine.waitFor(unit, { NFileDescriptorStore: '1' })
  expect(machine.output(unit)).toContain('watchdog 1 of 10000000 us')
  await machine.waitForOutput(unit, 'barrier 1')

  const { MainPID: pid = '' } = await machine.show(unit, 'MainPID')
  await machine.run('kill', ['-KILL', pid])
  await machine.waitFor(unit, { NRestarts: '1', ActiveState: 'active' }, { timeoutMs: 30_000 })
  await expectToBeReloadedAndStopped(machine, unit)
}

async function expectToBeReloadedAndStopped(machine: Machine, unit = 'web.service'): Promise<void> {
  const { WatchdogTimestampMonotonic: last } = await machine.show(unit)
  await expect
    .poll(async () => (await machine.show(unit))['WatchdogTimestampMonotonic'], { timeout: 30_000 })
    .not.toBe(last)
  await machine.systemctl('reload', unit)
  await expect
    .poll(async () => (await machine.show(unit))['StatusText'], { timeout: 30_000 })
    .toMatch(/^[Rr]eloaded/)
  await machine.systemctl('stop', unit)
  expect(await machine.show(unit, 'ActiveState', 'Result')).toEqual({
    ActiveState: 'inactive',
    Result: 'success',
  })
}
