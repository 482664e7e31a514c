import { readFile, rm } from 'node:fs/promises'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { engineCommand, imageCommand } from './containers/engine-command.js'
import { LOG_SERVICE } from './containers/log-service.js'

const HOOKS = '/usr/share/containers/oci/hooks.d'

describeContainers(
  'containers of a command that sdbridge run does not know',
  (scenario) => {
    scenario('injection', 'a device of the CDI', async (host, engine) => {
      const service = await writeService(host, engine, 'by-cdi', {
        options: ['--device=sdbridge.io/unit=by-cdi-NAME'],
        settings: `ExecStartPre=${host.sdbridge.join(' ')} cdi %N\n`,
      })
      await expectService(service)
      await service.systemctl('stop')
      await rm(host.machine.path(`/run/cdi/sdbridge-by-cdi-${engine}.json`))
    })

    scenario(
      'injection',
      'a device of the CDI, for a unit without a watchdog or a store',
      async (host, engine) => {
        const service = await writeService(host, engine, 'bare', {
          options: ['--device=sdbridge.io/unit=bare-NAME'],
          settings: 'WatchdogSec=0\nFileDescriptorStoreMax=0\nRuntimeDirectory=\n',
        })
        const { stdout } = await sdbridge(host, 'cdi', service.id, '--print')
        expect(stdout).toBe('')
        const printed = await sdbridge(host, 'cdi', '--print', service.id)
        expect(printed.stderr).toContain('does not tell its WatchdogSec=')
        const { cdiVersion, devices } = JSON.parse(printed.stdout) as CdiSpec
        expect(cdiVersion).toBe('0.5.0')
        expect(devices[0]?.containerEdits.env).toEqual(['NOTIFY_SOCKET=/run/notify/notify.sock'])
        await sdbridge(host, 'cdi', '--output', '/run/cdi/x.json', service.unit)
        const payload = await service.startReady()
        expect(await payload.environment()).not.toHaveProperty('WATCHDOG_USEC')
        await service.systemctl('stop')
        await rm(host.machine.path('/run/cdi/x.json'))
      },
    )

    scenario('injection', 'the names of units are made names of devices', async (host, engine) => {
      const service = await writeService(host, engine, String.raw`odd\x2dname@1`, {
        options: ['--device=DEVICE'],
        settings: '',
      })
      const { stdout } = await sdbridge(host, 'cdi', service.unit)
      const [, device = ''] = /--device (\S+),/.exec(stdout) ?? []
      expect(device).toMatch(/^sdbridge\.io\/unit=odd-x2dname-1-\w+-[\da-f]{12}$/)
      await service.writeDropIn(
        `ExecStart=\nExecStart=${commandOf(host, service, [`--device=${device}`])}`,
      )
      await host.machine.systemctl('daemon-reload')
      await service.startReady()
      await service.systemctl('stop')
      await host.machine.run('sh', ['-c', 'rm /run/cdi/*'])
    })

    scenario(
      'injection',
      'a bundle that sdbridge prepare has edited, and edits back',
      async (host, engine) => {
        const id = `prepared-${engine}`
        const argv = ['python3', '/payload/remote.py', id]
        const words = await engineCommand(host, engine, id, { argv })
        const [, , , bundle = ''] = words
        const config = host.machine.path(`${bundle}/config.json`)
        const before = await readFile(config, 'utf8')
        const service = await BridgedService.write(host, engine, 'prepared', {
          execStart: ['/bin/true'],
          settings: `${SETTINGS}RuntimeDirectory=sdbridge-prepared
ExecStartPre=${host.sdbridge.join(' ')} prepare --unit %N ${bundle}
ExecStart=
ExecStart=${host.sdbridge.join(' ')} run -- /bin/sh -c "exec env --unset=NOTIFY_SOCKET ${words.join(' ')}"
`,
        })
        await expectService(service)
        await service.systemctl('restart', '--no-block')
        await (await service.payload()).send('READY=1')
        await service.waitFor({ ActiveState: 'active', SubState: 'running' })
        await service.systemctl('stop')
        await sdbridge(host, 'prepare', '--undo', bundle)
        expect(JSON.parse(await readFile(config, 'utf8'))).toEqual(JSON.parse(before))
      },
      ['runc', 'crun', 'runc on host'],
    )

    scenario(
      'injection',
      "podman's precreate hook, by an annotation",
      async (host, engine) => {
        await sdbridge(host, 'hook', 'install')
        const service = await writeService(host, engine, 'by-hook', {
          options: ['--annotation=io.sdbridge.unit=by-hook-NAME'],
          settings: '',
        })
        await expectService(service)

        // Nobody else has anything of it.
        const { stdout } = await podmanRun(host, [], ['env'])
        expect(stdout).not.toMatch(/NOTIFY_SOCKET|WATCHDOG|FDSTORE/)
        await service.systemctl('stop')

        const late = await podmanRun(
          host,
          [`--annotation=io.sdbridge.unit=${service.unit}`],
          ['true'],
        )
        expect(late.exitCode).toBe(126)
        expect(late.stdout).toContain(
          `sdbridge: nobody serves ${service.unit}: expected the directory /run/sdbridge-by-hook/${service.unit}/notify`,
        )
        const wrong = await podmanRun(host, ['--annotation=io.sdbridge.unit=nowhere'], ['true'])
        expect(wrong.exitCode).toBe(126)
        expect(wrong.stdout).toContain('sdbridge: there is no unit nowhere.service')

        await sdbridge(host, 'hook', 'uninstall')
        expect((await host.machine.run('ls', [HOOKS])).stdout).toBe('')
      },
      ['podman'],
    )

    scenario(
      'injection',
      'where podman writes to the journal, why the hook has failed is in the log',
      async (host, engine) => {
        await sdbridge(host, 'hook', 'install')
        const service = await writeService(host, engine, 'hook-fails', {
          options: ['--annotation=io.sdbridge.unit=nowhere'],
          settings: '',
        })
        await host.machine.writeUnit('log.service', LOG_SERVICE)
        await host.machine.systemctl('start', 'log')
        await service.startToTheEnd()
        await host.machine.waitForOutput('log.service', ': there is no unit nowhere.service')
        await host.machine.systemctl('stop', 'log')
        await sdbridge(host, 'hook', 'uninstall')
      },
      ['podman'],
    )
  },
  { prepare: async ({ machine }) => void (await machine.run('mkdir', ['-p', '/run/cdi', HOOKS])) },
)

interface CdiSpec {
  cdiVersion: string
  devices: { containerEdits: { env: string[] } }[]
}

const SETTINGS = `RuntimeDirectoryMode=0700
WatchdogSec=20
FileDescriptorStoreMax=7
`

/** A unit whose command is a shell that runs a container. `NAME` is the engine's. */
async function writeService(
  host: ContainerHost,
  engine: EngineName,
  name: string,
  { options, settings }: { options: string[]; settings: string },
): Promise<BridgedService> {
  const service = new BridgedService(host, engine, `${name}-${engine}`)
  const own = options.map((each) => each.replace('NAME', engine))
  await BridgedService.write(host, engine, name, {
    execStart: ['/bin/true'],
    settings: `${SETTINGS}RuntimeDirectory=sdbridge-${name.replaceAll(/[^\w-]/g, '')}
ExecStart=
ExecStart=${commandOf(host, service, own)}
${settings}`,
  })
  return service
}

function commandOf(host: ContainerHost, service: BridgedService, options: string[]): string {
  const engine = service.engine === 'docker' ? 'docker' : 'podman'
  // podman's own socket is not in the way of a hook's.
  const isCdi = options.some((each) => each.startsWith('--device'))
  const podman = isCdi ? ['--sdnotify=ignore'] : []
  const quiet = engine === 'podman' ? podman : ['--network=none']
  const container = imageCommand(engine, 'run', {
    argv: ['python3', '/payload/remote.py', service.id],
    options: [...quiet, ...options],
  })
  const words = container.map((word) => `'${word.replaceAll('\\', '\\\\')}'`).join(' ')
  return `${host.sdbridge.join(' ')} run -- /bin/sh -c "exec ${words}"`
}

async function expectService(service: BridgedService): Promise<void> {
  const payload = await service.startReady()
  expect(await payload.environment()).toMatchObject({
    NOTIFY_SOCKET: '/run/notify/notify.sock',
    WATCHDOG_USEC: '20000000',
    FDSTORE: '7',
  })
  expect(await payload.listFolder('/run/notify')).toEqual(['notify.sock'])
  await expect(payload.write('no', 1)).resolves.toBeUndefined()
  await payload.openMemory('state', 'kept')
  await payload.send('FDSTORE=1\nFDNAME=state\nSTATUS=from within', { files: ['state'] })
  await service.waitFor({ StatusText: 'from within', NFileDescriptorStore: '1' })
}

function sdbridge(host: ContainerHost, ...words: string[]) {
  const [file = '', ...args] = [...host.sdbridge, ...words]
  return host.machine.run(file, args, { allowFailure: words.includes('--print') })
}

function podmanRun(host: ContainerHost, options: string[], argv: string[]) {
  // What the machine makes standard error is a socket, as of a service, which nobody else can open.
  const script = 'set -o pipefail; "$@" 2>&1 | cat'
  const words = ['podman', 'run', '--rm', ...options, 'payload', ...argv]
  return host.machine.run('bash', ['-c', script, 'bash', ...words], {
    allowFailure: true,
    timeoutMs: 60_000,
  })
}
