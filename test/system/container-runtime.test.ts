import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import { imageCommand } from './containers/engine-command.js'
import { KNOWS_LAUNCHER, writeLauncher } from './containers/runtime-launcher.js'
import { listen } from './containers/unit-sockets.js'

const INSIDE =
  'cat /proc/self/limits; busybox grep -E "^(Sig[BIC]|Cap|NoNew|Seccomp)" /proc/self/status'

describeContainers(
  'sdbridge runtime',
  (scenario) => {
    scenario(
      'S28',
      'created once, a container has its unit’s sockets, and what it stored, at every start',
      async (host, engine) => {
        const { machine } = host
        const name = `made-once-${engine}`
        const service = await BridgedService.write(host, engine, 'made-once', {
          settings: 'FileDescriptorStoreMax=10',
          execStart: [...host.sdbridge, 'run', '--', '/usr/bin/docker', 'start', name],
        })
        await create(service, name)
        await listen(host, service, 'web')
        const client = connect(machine.path(`/run/${service.id}.web`))
        client.write('anybody there?')
        const answer = text(client)
        const first = await service.payload()
        await first.send('READY=1')
        expect(await first.listenFds()).toEqual([{ name: 'web', content: 'socket' }])
        expect(await first.serveOne(3, 'the first')).toBe('anybody there?')
        expect(await answer).toBe('the first')
        await first.openMemory('state', 'what the first knew')
        await first.send('FDSTORE=1\nFDNAME=state', { files: ['state'] })
        await service.waitFor({ NFileDescriptorStore: '1' })

        for (let restart = 0; restart < 2; restart += 1) {
          await service.systemctl('restart', '--no-block')
          const next = await service.payload()
          const passed = await next.listenFds()
          expect(passed.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
            { name: 'state', content: 'what the first knew' },
            { name: 'web', content: 'socket' },
          ])
          await next.send('READY=1')
          await service.waitFor({ ActiveState: 'active' })
        }

        await machine.systemctl('stop', ...service.sockets, service.unit)
        await expect(machine.run('docker', ['start', name])).rejects.toThrow(
          /sdbridge: .*found nobody.*: start the unit, and not its container/,
        )
        await remove(host, name)
      },
      ['docker'],
    )

    scenario(
      'S28',
      'created with --init, it is not started with sockets, which its payload would not take',
      async (host, engine) => {
        const name = `made-with-init-${engine}`
        const service = await BridgedService.write(host, engine, 'made-with-init', {
          execStart: [...host.sdbridge, 'run', '--', '/usr/bin/docker', 'start', name],
        })
        await create(service, name, ['--init'])
        await listen(host, service, 'web')
        await expect(service.systemctl('start')).rejects.toThrow('exit code 1')
        await service.waitForOutput('the container was created with --init')
        await host.machine.systemctl('stop', ...service.sockets)
        await remove(host, name)
      },
      ['docker'],
    )

    scenario(
      'S29',
      'limits, signals and privileges inside are those that runc alone makes',
      async (host, engine) => {
        const argv = [
          'sh',
          '-c',
          `${INSIDE}; exec "$@"`,
          'sh',
          'python3',
          '/payload/remote.py',
          `same-inside-${engine}`,
        ]
        const service = await BridgedService.write(host, engine, 'same-inside', {
          container: { argv },
        })
        await listen(host, service, 'web')
        const payload = await service.startReady()
        expect(await payload.listenFds()).toEqual([{ name: 'web', content: 'socket' }])
        await service.waitForOutput('CapEff')
        const plain = ['run', '--rm', '--runtime=runc', 'payload', 'sh', '-c', INSIDE]
        const { stdout } = await host.machine.run('docker', plain, { timeoutMs: 60_000 })
        const facts = (output: string): string[] =>
          output.split('\n').filter((line) => /^(?:Max|Sig|Cap|NoNew|Seccomp)/.test(line))
        expect(facts(stdout).length).toBeGreaterThan(20)
        expect(facts(service.output())).toEqual(facts(stdout))
      },
      ['docker'],
    )
  },
  {
    dockerd: [KNOWS_LAUNCHER],
    prepare: (host) => writeLauncher(host),
  },
)

/** Creates a container for a unit whose command starts it. */
async function create(
  { host, payloadCommand }: BridgedService,
  name: string,
  options: string[] = [],
): Promise<void> {
  const [file = '', ...args] = [
    ...[...host.sdbridge, 'run', '--'],
    ...imageCommand('docker', 'create', {
      name,
      argv: payloadCommand,
      isRemoved: false,
      options: ['--runtime=sdbridge', ...options],
    }),
  ]
  await host.machine.run(file, args, { timeoutMs: 60_000 })
}

async function remove({ machine }: ContainerHost, name: string): Promise<void> {
  await machine.run('docker', ['rm', name])
  await machine.run('rm', ['-r', `/run/sdbridge/containers/docker-${name}`])
  await machine.run('sh', ['-c', 'rmdir /run/sdbridge/containers /run/sdbridge || true'])
}
