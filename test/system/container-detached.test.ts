import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { imageCommand } from './containers/engine-command.js'

const ENGINES = ['docker', 'podman'] as const

describeContainers('containers whose client does not stay', (scenario) => {
  scenario(
    'S28',
    'created by the bridge, and started in a unit, more than once',
    async (host, engine) => {
      const service = await writeStarting(host, engine, 'made-before')
      await create(host, engine, service, [...host.sdbridge, 'run', '--'])
      for (const status of ['first', 'second']) {
        const payload = await service.startReady()
        await payload.send(`STATUS=${status}`)
        await payload.write(`written by the ${status}\n`)
        await service.waitFor({ StatusText: status })
        await service.waitForOutput(`written by the ${status}`)
        await service.systemctl('stop')
        expect(payload.signals).toEqual(['SIGTERM'])
        expect(await service.show('ActiveState', 'Result')).toEqual({
          ActiveState: 'inactive',
          Result: 'success',
        })
      }
      expect(service.output().split('written by the first').length - 1).toBe(1)
      const payload = await service.startReady()
      await payload.exit(6)
      await service.waitFor({ ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: '6' })
      await removeCreated(host, engine, service)
    },
    ENGINES,
  )

  scenario(
    'S28',
    'created without the bridge: refused, with the reason',
    async (host, engine) => {
      const service = await writeStarting(host, engine, 'made-otherwise')
      await create(host, engine, service, [])
      await service.startToTheEnd()
      expect(await service.show('Result', 'ExecMainStatus')).toEqual({
        Result: 'exit-code',
        ExecMainStatus: '2',
      })
      await service.waitForOutput(
        `${engine} start ${service.id}: expected a container that has a directory for notifications`,
      )
      await service.waitForOutput(`create it by sdbridge run -- ${engine} create`)
      // It is somebody's, and stays.
      await host.machine.run(engine, ['container', 'inspect', service.id])
      await removeCreated(host, engine, service)
    },
    ENGINES,
  )

  for (const isRemoved of [true, false]) {
    scenario(
      'S28',
      `run --detach${isRemoved ? ' --rm' : ''}: followed to the end`,
      async (host, engine) => {
        const service = await BridgedService.write(
          host,
          engine,
          `detached-${isRemoved ? 'rm' : 'kept'}`,
          {
            container: { options: ['--detach'], isRemoved },
          },
        )
        const payload = await service.startReady()
        await payload.write('to standard output\n')
        await payload.write('to standard error\n', 2)
        await service.waitForOutput('to standard output\n')
        await service.waitForOutput('to standard error\n')
        await payload.write('the last word\n')
        await payload.exit(5)
        await service.waitFor({ ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: '5' })
        await service.waitForOutput('the last word')

        const next = await service.startReady()
        await service.systemctl('stop')
        await next.ended
        expect(next.signals).toEqual(['SIGTERM'])
        expect(await service.show('ActiveState', 'Result')).toEqual({
          ActiveState: 'inactive',
          Result: 'success',
        })
      },
      ENGINES,
    )
  }
})

/** A unit that starts a container of its own name. */
function writeStarting(
  host: ContainerHost,
  engine: EngineName,
  name: string,
): Promise<BridgedService> {
  return BridgedService.write(host, engine, name, {
    execStart: [...host.sdbridge, 'run', '--', `/usr/bin/${engine}`, 'start', `${name}-${engine}`],
  })
}

async function create(
  { machine }: ContainerHost,
  engine: EngineName,
  { id, payloadCommand }: BridgedService,
  before: string[],
): Promise<void> {
  if (engine !== 'docker' && engine !== 'podman') throw new TypeError(engine)
  const container = { name: id, argv: payloadCommand, isRemoved: false }
  const [file = '', ...args] = [...before, ...imageCommand(engine, 'create', container)]
  await machine.run(file, args, { timeoutMs: 60_000 })
}

// What was created is the operator's to remove, and so is the directory that it was created with.
async function removeCreated(
  { machine }: ContainerHost,
  engine: EngineName,
  { id }: BridgedService,
): Promise<void> {
  await machine.run(engine, ['rm', id])
  await machine.run('rm', ['-rf', `/run/sdbridge/containers/${engine}-${id}`])
  await machine.run('sh', ['-c', 'rmdir /run/sdbridge/containers /run/sdbridge || true'])
}
