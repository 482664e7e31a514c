import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'
import { imageCommand } from './containers/engine-command.js'
import type { Payload } from './containers/payload.js'

const ENGINES = ['docker', 'podman'] as const

describeContainers('containers whose client does not stay', (scenario) => {
  scenario(
    'S28',
    'created by the bridge, and started in a unit, more than once',
    async (host, engine) => {
      const service = await writeStarting(host, engine, 'made-before')
      await create(host, engine, service, [...host.sdbridge, 'run', '--'])
      for (const [index, status] of ['first', 'second'].entries()) {
        const payload = await service.startReady()
        await payload.send(`STATUS=${status}`)
        await payload.write(`written by the ${status}\n`)
        await service.waitFor({ StatusText: status })
        await service.waitForOutput(`written by the ${status}`)
        await service.systemctl('stop')
        expect(payload.signals).toEqual(['SIGTERM'])
        await waitForEnding(service, 'success exited 0', index + 1)
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

  scenario(
    'S28',
    'a bundle that was created by the bridge, and is started in a unit',
    async (host, engine) => {
      const service = await writeStarting(host, engine, 'bundle-before')
      for (const [index, isStopped] of [true, false].entries()) {
        await createBundle(host, service, [...host.sdbridge, 'run', '--'])
        const payload = await service.startReady()
        await payload.send('STATUS=started later')
        await service.waitFor({ StatusText: 'started later' })
        if (isStopped) await service.systemctl('stop')
        else await payload.exit(0)
        await payload.ended
        expect(payload.signals).toEqual(isStopped ? ['SIGTERM'] : [])
        await waitForEnding(service, 'success exited 0', index + 1)
      }
      await removeDirectory(host, service)
    },
    ['runc', 'crun', 'runc on host'],
  )

  scenario(
    'S28',
    'a bundle that was created without the bridge: refused, with the reason',
    async (host, engine) => {
      const service = await writeStarting(host, engine, 'bundle-otherwise')
      await createBundle(host, service, [])
      await service.startToTheEnd()
      expect(await service.show('Result', 'ExecMainStatus')).toEqual({
        Result: 'exit-code',
        ExecMainStatus: '2',
      })
      await service.waitForOutput(`create it by sdbridge run -- ${engine} create`)
      await host.machine.run(engine, ['state', service.id])
      await host.machine.run(engine, ['delete', '--force', service.id])
    },
    ['runc', 'crun', 'runc on host'],
  )

  scenario(
    'S28',
    'the engine restarts it: the unit ends, and systemd starts the next',
    async (host, engine) => {
      const service = await writeStarting(host, engine, 'restarted')
      await service.writeDropIn('Restart=always\nRestartSec=100ms')
      await create(host, engine, service, [...host.sdbridge, 'run', '--'])
      const first = await service.startReady()
      const restarted = host.machine.run(engine, ['restart', service.id], { timeoutMs: 60_000 })
      await first.ended
      await restarted
      await service.waitFor({ NRestarts: '1' })
      // The engine's own next one may have been there for a moment, and was stopped.
      let next = await service.payload()
      while (!(await isHeard(next))) next = await service.payload()
      await service.waitFor({ ActiveState: 'active', StatusText: 'again', NRestarts: '1' })
      await service.systemctl('stop')
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
            settings: TELLS_ENDING,
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
        await waitForEnding(service, 'success exited 0')
      },
      ENGINES,
    )
  }
})

async function isHeard(payload: Payload): Promise<boolean> {
  const sent = payload.send('READY=1\nSTATUS=again').then(
    () => true,
    () => false,
  )
  return (await sent) && payload.isThere
}

/** A unit that starts a container of its own name. */
function writeStarting(
  host: ContainerHost,
  engine: EngineName,
  name: string,
): Promise<BridgedService> {
  return BridgedService.write(host, engine, name, {
    settings: TELLS_ENDING,
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

async function createBundle(
  { machine }: ContainerHost,
  service: BridgedService,
  before: string[],
): Promise<void> {
  const [file = '', , ...rest] = await service.engineCommand()
  // The container keeps what it is given, and the test would wait for its end.
  const script =
    '"$@" </dev/null >/run/created 2>&1 || { cat /run/created; exit 1; }; rm /run/created'
  await machine.run('sh', ['-c', script, 'sh', ...before, file, 'create', ...rest])
}

// What was created is the operator's to remove, and so is the directory that it was created with.
async function removeCreated(
  host: ContainerHost,
  engine: EngineName,
  service: BridgedService,
): Promise<void> {
  await host.machine.run(engine, ['rm', service.id])
  await removeDirectory(host, service)
}

async function removeDirectory(
  { machine }: ContainerHost,
  { engine, id }: BridgedService,
): Promise<void> {
  await machine.run('rm', ['-rf', `/run/sdbridge/containers/${engine}-${id}`])
  await machine.run('sh', ['-c', 'rmdir /run/sdbridge/containers /run/sdbridge || true'])
}
