import { basename } from 'node:path'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'
import { startAndStop } from './containers/start-and-stop.js'

const ELSEWHERE = '/run/elsewhere'

describeContainers('SIGKILL', (scenario) => {
  scenario('S27', 'of the bridge alone', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'no-bridge', {
      settings: TELLS_ENDING,
    })
    const payload = await service.startReady()
    await host.machine.run('kill', ['-KILL', await service.mainPid()])
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
        settings: `ExecStopPost=\n${TELLS_ENDING}`,
        // What the engine does not remove by itself either.
        ...(!isRuntime(engine) && { container: { name: 'no-cleanup', isRemoved: false } }),
      })
      const payload = await service.startReady()
      const [id = ''] = await containersOf(host, service)
      await host.machine.run('kill', ['-KILL', await service.mainPid()])
      await payload.ended
      await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
      expect(await containersOf(host, service)).toEqual([id])
      await host.machine.run('test', ['-d', directoryOf(service)])
      expect(service.output()).not.toContain('removing the container')

      const next = await service.startReady()
      await service.waitForOutput('removing the container')
      const now = await containersOf(host, service)
      expect(now).toHaveLength(1)
      // A bundle's has the name that it is given, and docker's and podman's are numbered anew.
      if (!isRuntime(engine)) expect(now).not.toEqual([id])
      await next.send('STATUS=back again')
      await service.waitFor({ StatusText: 'back again' })
      await service.systemctl('stop')
      await next.ended
      await waitForEnding(service, 'success exited 0')
      expect(await containersOf(host, service)).toEqual([])
    },
  )

  scenario(
    'S27',
    'of the bridge alone, where systemd leaves the rest alone',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'left-alone', {
        settings: `KillMode=process\n${TELLS_ENDING}`,
      })
      const payload = await service.startReady()
      await host.machine.run('kill', ['-KILL', await service.mainPid()])
      await payload.ended
      await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
      await startAndStop(service)
    },
  )

  scenario('S27', 'of the whole unit', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'no-unit', {
      settings: TELLS_ENDING,
    })
    const payload = await service.startReady()
    await service.systemctl('kill', '--signal=KILL', '--kill-whom=all')
    await payload.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
    await startAndStop(service)
  })

  scenario('S27', 'of the whole unit, where nothing cleans up', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'nothing-at-all', {
      settings: `ExecStopPost=\n${TELLS_ENDING}`,
    })
    const payload = await service.startReady()
    await service.systemctl('kill', '--signal=KILL', '--kill-whom=all')
    await payload.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
    await startAndStop(service)
  })

  scenario('S27', 'of the engine’s client', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'no-client', {
      settings: TELLS_ENDING,
    })
    const payload = await service.startReady()
    await host.machine.run('pkill', [
      '-KILL',
      '--parent',
      await service.mainPid(),
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
        settings: TELLS_ENDING,
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
      await waitForEnding(service, 'success exited 0')
      // The engine may have been quick enough to start it once more, before the bridge removed it.
      host.payloads.forget(service.id)
      await startAndStop(service, 2)
    },
    ['docker', 'podman'],
  )
})

describeContainers('a container whose unit looks for it elsewhere', (scenario) => {
  scenario(
    'S27',
    'stays while its bridge is at work, whatever else is called in the unit',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'at-work')
      // For a runtime this makes the bundle.
      const command = await service.engineCommand()
      const payload = await service.startReady()
      const before = await containersOf(host, service)
      await host.machine.run('mkdir', ['-p', ELSEWHERE])
      for (const [subcommand, directory, reason] of [
        ['run', undefined, `another sdbridge serves ${directoryOf(service)}`],
        ['run', ELSEWHERE, 'another sdbridge serves the container'],
        ['cleanup', undefined, `another sdbridge serves ${directoryOf(service)}`],
        ['cleanup', ELSEWHERE, 'another sdbridge serves the container'],
      ] as const) {
        // Of a runtime's containers there is nothing to be found but what is noted.
        if (isRuntime(engine) && subcommand === 'cleanup' && directory !== undefined) continue
        const words = subcommand === 'run' ? ['run', '--', ...command] : ['cleanup']
        await reloadBy(host, service, words, directory)
        const said = service.output().length
        await expect(service.systemctl('reload')).rejects.toThrow('exit code 1')
        await expect.poll(() => service.output().slice(said), { timeout: 20_000 }).toContain(reason)
        const status = `after ${subcommand} ${directory ?? 'in its place'}`
        await payload.send(`STATUS=${status}`)
        await service.waitFor({ ActiveState: 'active', StatusText: status })
        expect(await containersOf(host, service)).toEqual(before)
      }
      // Nothing was made there.
      await host.machine.run('rmdir', [ELSEWHERE])
      await service.systemctl('stop')
      expect(payload.signals).toEqual(['SIGTERM'])
    },
  )

  for (const by of ['cleanup', 'the next start']) {
    scenario(
      'S27',
      `is removed by ${by} when its bridge was killed`,
      async (host, engine) => {
        const name = by === 'cleanup' ? 'lost-cleaned' : 'lost-started'
        const service = await BridgedService.write(host, engine, name, {
          settings: 'KillMode=process\nExecStopPost=',
        })
        const payload = await service.startReady()
        const before = await containersOf(host, service)
        await host.machine.run('kill', ['-KILL', await service.mainPid()])
        await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
        // The engine knows nothing of it.
        expect(await payload.environment()).toHaveProperty('NOTIFY_SOCKET')
        expect(await containersOf(host, service)).toEqual(before)

        if (by === 'cleanup') {
          await cleanup(host, service, `RUNTIME_DIRECTORY=${ELSEWHERE}`)
          await payload.ended
          expect(await containersOf(host, service)).toEqual([])
        } else {
          await service.writeDropIn(`RuntimeDirectory=${basename(ELSEWHERE)}\nKillMode=mixed`)
          const next = await service.startReady()
          await payload.ended
          const now = await containersOf(host, service)
          expect(now).toHaveLength(1)
          expect(now).not.toEqual(before)
          await service.systemctl('stop')
          await next.ended
        }
        // The directory of the killed one is where it was.
        await host.machine.run('test', ['-d', directoryOf(service)])
        await cleanup(host, service)
      },
      ['docker', 'podman'],
    )
  }
})

/** Has `systemctl reload` call sdbridge once more in the unit, with a directory of its own. */
async function reloadBy(
  host: ContainerHost,
  service: BridgedService,
  bridge: string[],
  directory: string | undefined,
): Promise<void> {
  const environment = directory === undefined ? [] : [`RUNTIME_DIRECTORY=${directory}`]
  const words = ['/usr/bin/env', ...environment, ...host.sdbridge, ...bridge]
  await service.writeDropIn(`ExecReload=\nExecReload=${words.join(' ')}`)
}

/** As an operator calls it. */
async function cleanup(
  host: ContainerHost,
  { unit }: BridgedService,
  ...environment: string[]
): Promise<void> {
  const words = [...environment, ...host.sdbridge, 'cleanup', '--unit', unit]
  await host.machine.run('env', words, { timeoutMs: 60_000 })
}

/** What the engine has of this unit, by id. */
async function containersOf(
  { machine }: ContainerHost,
  { engine, unit, id }: BridgedService,
): Promise<string[]> {
  const filter = `label=io.sdbridge.unit=${unit}`
  const words = isRuntime(engine)
    ? ['list', '--quiet']
    : ['ps', '--all', '--quiet', '--no-trunc', '--filter', filter]
  const { stdout } = await machine.run(engine, words)
  return stdout.split('\n').filter((line) => (isRuntime(engine) ? line === id : line !== ''))
}

function directoryOf({ unit }: BridgedService): string {
  return `/run/sdbridge/${unit}`
}

function isRuntime(engine: EngineName): boolean {
  return engine === 'runc' || engine === 'crun'
}
