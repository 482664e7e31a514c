import { chmod, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { waitForEnding, TELLS_ENDING } from './containers/ending.js'

describeContainers('whose a container is', (scenario) => {
  scenario(
    'own',
    'a name that is taken while the engine is being started: who has it keeps it',
    async (host, engine) => {
      const name = `wanted-${engine}`
      // Nobody's unit: it is started by hand, and makes what takes the name.
      const other = await BridgedService.write(host, engine, 'other')
      const takes = await other.engineCommand({ name, isRemoved: false })
      const service = await BridgedService.write(host, engine, 'late', { settings: TELLS_ENDING })
      const [, ...wanted] = await service.engineCommand({ name })
      const late = await lateEngine(host, engine, takes)
      await service.writeDropIn(
        `ExecStart=\nExecStart=${[...host.sdbridge, 'run', '--', late, ...wanted].join(' ')}`,
      )
      try {
        await service.startToTheEnd()
        await waitForEnding(service, `exit-code exited ${isRuntime(engine) ? 1 : 125}`)
        const inspect = isRuntime(engine) ? ['state'] : ['container', 'inspect']
        const { stdout } = await host.machine.run(engine, [...inspect, name])
        expect(stdout).toMatch(/"status": "running"/i)
        const payload = await other.payload()
        expect(payload.signals).toEqual([])
        await payload.exit(0)
        await payload.ended
      } finally {
        await removeByName(host, engine, name)
        await host.machine.run('rm', ['-r', folderOf(engine)])
      }
    },
  )

  scenario(
    'end',
    'a start that fails when the container is there already',
    async (host, engine) => {
      // There is no such device, which docker finds out when it starts what it has created.
      const service = await BridgedService.write(host, engine, 'unstarted', {
        settings: TELLS_ENDING,
        container: { options: ['--gpus', 'all'], isRemoved: false },
      })
      await service.startToTheEnd()
      await waitForEnding(service, 'exit-code exited 125')
    },
    ['docker'],
  )
})

/** A program of the engine's name that is slow: before its container is there, another one has the name. */
async function lateEngine(
  { machine }: ContainerHost,
  engine: EngineName,
  takes: string[],
): Promise<string> {
  await machine.run('mkdir', [folderOf(engine)])
  const file = `${folderOf(engine)}/${engine}`
  const [program = '', run = '', ...rest] = takes
  await writeFile(
    machine.path(file),
    `#!/bin/sh
# As somebody else would do it, outside of the unit.
if [ "$1" = run ]; then (
  echo 0 >/sys/fs/cgroup/commands/cgroup.procs
  exec ${[program, run, '--detach', ...rest].join(' ')} </dev/null >/dev/null 2>&1
) fi
exec /usr/bin/${engine} "$@"
`,
  )
  await chmod(machine.path(file), 0o755)
  return file
}

function folderOf(engine: EngineName): string {
  return `/srv/late-${engine}`
}

async function removeByName(
  { machine }: ContainerHost,
  engine: EngineName,
  name: string,
): Promise<void> {
  const words = isRuntime(engine) ? ['delete', '--force', name] : ['rm', '--force', name]
  await machine.run(engine, words)
}

function isRuntime(engine: EngineName): boolean {
  return engine === 'runc' || engine === 'crun'
}
