import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'

describeContainers('SIGKILL', (scenario) => {
  scenario('S27', 'of the bridge alone', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'no-bridge')
    const payload = await service.startReady()
    await host.machine.run('kill', ['-KILL', await mainPid(service)])
    // Not only is the unit over: so is the payload.
    await payload.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
    await startAndStop(service)
  })

  scenario(
    'S27',
    'of the bridge alone, where nothing cleans up: the next start does',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'no-cleanup', {
        settings: 'ExecStopPost=',
      })
      const payload = await service.startReady()
      await host.machine.run('kill', ['-KILL', await mainPid(service)])
      await payload.ended
      await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
      await startAndStop(service)
    },
  )

  scenario(
    'S27',
    'of the bridge alone, where systemd leaves the rest alone',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'left-alone', {
        settings: 'KillMode=process',
      })
      const payload = await service.startReady()
      await host.machine.run('kill', ['-KILL', await mainPid(service)])
      await payload.ended
      await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
      await startAndStop(service)
    },
  )

  scenario('S27', 'of the whole unit', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'no-unit')
    const payload = await service.startReady()
    await service.systemctl('kill', '--signal=KILL', '--kill-whom=all')
    await payload.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
    await startAndStop(service)
  })

  scenario('S27', 'of the whole unit, where nothing cleans up', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'nothing-at-all', {
      settings: 'ExecStopPost=',
    })
    const payload = await service.startReady()
    await service.systemctl('kill', '--signal=KILL', '--kill-whom=all')
    await payload.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
    await startAndStop(service)
  })

  scenario('S27', 'of the engine’s client', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'no-client')
    const payload = await service.startReady()
    await host.machine.run('pkill', [
      '-KILL',
      '--parent',
      await mainPid(service),
      '--exact',
      engine,
    ])
    if (isRuntime(engine)) {
      // It was all that the runtime had, and the container goes with it.
      await payload.ended
      await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
    } else {
      // The container is the engine's, and lives on; so does the unit.
      await payload.send('STATUS=nobody told me')
      await service.waitFor({ StatusText: 'nobody told me', ActiveState: 'active' })
      await payload.write('and this is heard\n')
      await service.waitForOutput('and this is heard')
      await payload.exit(4)
      await service.waitFor({ ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: '4' })
    }
    await startAndStop(service)
  })
})

describeContainers('a container that its engine restarts', (scenario) => {
  scenario(
    'S27',
    'to the unit that is its end',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'restarted', {
        container: { name: 'restarted', isRemoved: false },
      })
      const payload = await service.startReady()
      // There is a race between the two, and the engine may complain that the container is gone.
      await host.machine.run(engine, ['restart', '--time', '5', 'restarted'], {
        allowFailure: true,
        timeoutMs: 60_000,
      })
      await payload.ended
      expect(payload.signals).toEqual(['SIGTERM'])
      await service.waitFor({ ActiveState: 'inactive', Result: 'success' })
      // The engine may have been quick enough to start it once more, before the bridge removed it.
      host.payloads.forget(service.id)
      await startAndStop(service)
    },
    ['docker', 'podman'],
  )
})

async function mainPid(service: BridgedService): Promise<string> {
  const { MainPID = '' } = await service.show('MainPID')
  expect(MainPID).not.toBe('0')
  return MainPID
}

/** As if nothing had been. */
async function startAndStop(service: BridgedService): Promise<void> {
  const payload = await service.startReady()
  await payload.send('STATUS=back again')
  await service.waitFor({ StatusText: 'back again' })
  await service.systemctl('stop')
  await payload.ended
  expect(await service.show('ActiveState', 'Result')).toEqual({
    ActiveState: 'inactive',
    Result: 'success',
  })
}

function isRuntime(engine: EngineName): boolean {
  return engine === 'runc' || engine === 'crun'
}
