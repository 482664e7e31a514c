import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { engineCommand, imageCommand } from './containers/engine-command.js'
import { LOG_SERVICE } from './containers/log-service.js'
import type { Payload } from './containers/payload.js'
import type { Place } from './containers/scenarios.js'
import { Crio } from './daemon/crio.js'
import { DaemonHost } from './daemon/daemon-host.js'

const HOOKS = '/usr/share/containers/oci/hooks.d'
const NOTIFY = '/var/lib/sdbridge-daemon/notify'
const RUNTIMES: Place[] = ['runc', 'crun', 'runc on host']

describeContainers(
  'containers of the daemon, by hooks',
  (scenario) => {
    scenario(
      'hooks',
      'run in ExecStart=, of a bundle that prepare --daemon has edited, and edits back',
      async (host, engine) => {
        const { bundle, before, service } = await writePrepared(host, engine, 'run', 'run')
        await expectBridged(service, await service.startReady())
        const [before1] = await containersOf(service)

        await service.systemctl('restart', '--no-block')
        await (await service.payload()).send('READY=1')
        await service.waitFor({ ActiveState: 'active', SubState: 'running' })
        const [after1] = await containersOf(service)
        expect(after1).toMatchObject({ unit: service.unit, state: 'ready' })
        expect(after1?.mainPid).not.toBe(before1?.mainPid)

        await service.systemctl('stop')
        await expectNone(service)
        await sdbridge(host, 'prepare', '--undo', bundle)
        expect(JSON.parse(await configOf(host, bundle))).toEqual(JSON.parse(before))
      },
      RUNTIMES,
    )

    scenario(
      'hooks',
      'create and start in a script, and delete at its end',
      async (host, engine) => {
        const { service } = await writePrepared(host, engine, 'script', 'script')
        const payload = await service.startReady()
        await expectBridged(service, payload)

        // What it says last arrives, though it has ended by then.
        await host.machine.systemctl('log-level', 'debug')
        await payload.send('STATUS=last words')
        await service.systemctl('stop')
        await host.machine.systemctl('log-level', 'info')
        await service.waitFor({ ActiveState: 'inactive' })
        expect(await service.notifications()).toContainEqual(
          expect.stringContaining('STATUS=last words'),
        )
        await expectNone(service)
      },
      RUNTIMES,
    )

    scenario(
      'hooks',
      'a unit that is not on the list: its container does not start, and why not is told',
      async (host, engine) => {
        const { service } = await writePrepared(host, engine, 'unlisted', 'run', {
          name: 'other',
          settings: 'Type=simple',
        })
        await startLog(host)
        await service.startToTheEnd()
        const reason = `${service.unit} may not be spoken for: add the line '${service.unit}' to /etc/sdbridge/units`
        // crun has what its hooks say go nowhere.
        await host.machine.waitForOutput(engine === 'crun' ? 'log' : service.unit, reason)
        expect(await service.show('Result')).toEqual({ Result: 'exit-code' })
        expect(await containersOf(service)).toEqual([])
        await host.machine.systemctl('stop', 'log')
      },
      RUNTIMES,
    )

    scenario(
      'hooks',
      '--on-failure ignore: it starts, and the log says why it is not bridged',
      async (host, engine) => {
        const { service } = await writePrepared(host, engine, 'ignored', 'run', {
          name: 'other',
          settings: 'Type=simple',
          options: '--on-failure ignore',
        })
        await startLog(host)
        const payload = await service.start()
        await host.machine.waitForOutput('log', `${service.unit} may not be spoken for`)
        await expect(payload.send('READY=1')).rejects.toThrow(/No such file|Connection refused/)
        await service.systemctl('stop')
        await host.machine.systemctl('stop', 'log')
      },
      RUNTIMES,
    )

    scenario(
      'hooks',
      'a runtime that would pass notifications on itself is told so',
      async (host, engine) => {
        const { service } = await writePrepared(host, engine, 'relaying', 'run', {
          settings: 'UnsetEnvironment=',
        })
        await startLog(host)
        await service.startToTheEnd()
        const reason = 'as by UnsetEnvironment=NOTIFY_SOCKET in the unit'
        await host.machine.waitForOutput(engine === 'crun' ? 'log' : service.unit, reason)
        await host.machine.systemctl('stop', 'log')
      },
      RUNTIMES,
    )

    scenario(
      'hooks',
      'podman in ExecStart=, by hooks.d',
      async (host, engine) => {
        await sdbridge(host, 'hook', 'install')
        for (const cgroups of ['enabled', 'split']) {
          const service = await writePodman(host, engine, cgroups)
          await expectBridged(service, await service.startReady())
          expect(await containersOf(service)).toMatchObject([{ container: { engine: 'podman' } }])
          await service.systemctl('stop')
          await expectNone(service)
        }
        await sdbridge(host, 'hook', 'uninstall')
        expect((await host.machine.run('ls', [HOOKS])).stdout).toBe('')
      },
      ['podman'],
    )

    scenario(
      'hooks',
      'podman beside the unit that the annotation names',
      async (host, engine) => {
        await sdbridge(host, 'hook', 'install')
        const service = await writeMain(host, engine, 'beside')
        await service.systemctl('start', '--no-block')
        const words = imageCommand('podman', 'run', {
          argv: service.payloadCommand,
          name: 'beside',
          options: ['--detach', `--annotation=io.sdbridge.daemon=${service.id}`],
        })
        await inSession(host, words)
        const payload = await service.payload()
        await payload.send('READY=1')
        await expectBridged(service, payload)
        await inSession(host, ['podman', 'rm', '--force', '--time=0', 'beside'])
        await expectNone(service)
        await sdbridge(host, 'hook', 'uninstall')
      },
      ['podman'],
    )

    scenario(
      'hooks',
      'podman tells why a container cannot be bridged',
      async (host) => {
        await sdbridge(host, 'hook', 'install')
        await startLog(host)
        const words = imageCommand('podman', 'run', {
          argv: ['true'],
          options: ['--annotation=io.sdbridge.daemon=sdbridge'],
        })
        expect(await inSession(host, words)).toMatchObject({ exitCode: 126 })
        const reason = "nobody speaks for sdbridge.service: it is the daemon's own unit"
        await host.machine.waitForOutput('log.service', reason)
        await host.machine.systemctl('stop', 'log')
        await sdbridge(host, 'hook', 'uninstall')
      },
      ['podman'],
    )

    scenario(
      'hooks',
      "CRI-O's way of calling a runtime",
      async (host, engine) => {
        const runtime = engine as 'runc' | 'crun'
        await sdbridge(host, 'hook', 'install', '--no-precreate')
        const service = await writeMain(host, engine, 'pod')
        const crio = new Crio(host, runtime, randomBytes(32).toString('hex'))
        await host.machine.run('mkdir', ['-p', `${NOTIFY}/pod`])
        const words = await engineCommand(host, engine, service.id, {
          argv: service.payloadCommand,
          env: { NOTIFY_SOCKET: '/run/notify/notify.sock' },
          mounts: { '/run/notify': `${NOTIFY}/pod` },
          edit: (config) => {
            config.annotations = { 'io.sdbridge.daemon': service.id }
          },
        })
        const [, , , bundle = ''] = words
        const config = JSON.parse(await configOf(host, bundle))
        await crio.edit(config, HOOKS)
        await host.writeBundle(service.id, config)

        await service.systemctl('start', '--no-block')
        await crio.create(bundle)
        expect(await containersOf(service)).toMatchObject([
          { name: 'pod', container: { id: crio.id, engine: 'cri-o' }, state: 'starting' },
        ])
        await crio.start()
        const payload = await service.payload()
        await payload.send('READY=1\nSTATUS=from within')
        await service.waitFor({ ActiveState: 'active', StatusText: 'from within' })
        await crio.delete()
        await expectNone(service)
        await sdbridge(host, 'hook', 'uninstall')
      },
      RUNTIMES,
    )
  },
  {
    prepare: async ({ machine }) => {
      await machine.run('mkdir', ['-p', HOOKS])
      const daemon = await DaemonHost.install(machine, ['daemon-*.service annotation'])
      await daemon.waitFor('sdbridge.service', { ActiveState: 'active' })
    },
  },
)

interface Prepared {
  name?: string
  settings?: string
  /** Of `sdbridge prepare`. */
  options?: string
}

/** A unit that runs a bundle, which it prepares before: in its command itself, or in a script. */
async function writePrepared(
  host: ContainerHost,
  engine: EngineName,
  situation: string,
  way: 'run' | 'script',
  { name = 'daemon', settings = '', options = '' }: Prepared = {},
): Promise<{ service: BridgedService; bundle: string; before: string }> {
  const id = `${name}-${situation}-${engine}`
  const argv = ['python3', '/payload/remote.py', id]
  const words = await engineCommand(host, engine, id, { argv })
  const [file = '', , , bundle = ''] = words
  const before = await configOf(host, bundle)
  const script = `trap '${file} delete --force ${id}; exit 0' TERM
${file} create --bundle ${bundle} ${id} && ${file} start ${id} && while ${file} kill ${id} 0; do sleep 0.1; done`
  const service = await BridgedService.write(host, engine, `${name}-${situation}`, {
    execStart: way === 'run' ? words : ['/bin/sh', '-c', script],
    settings: `${SETTINGS}ExecStartPre=${host.sdbridge.join(' ')} prepare --daemon --unit %n ${options} ${bundle}
${settings}
`,
  })
  return { service, bundle, before }
}

const SETTINGS = `UnsetEnvironment=NOTIFY_SOCKET
ExecStopPost=
WatchdogSec=60
FileDescriptorStoreMax=7
`

async function writePodman(
  host: ContainerHost,
  engine: EngineName,
  cgroups: string,
): Promise<BridgedService> {
  const name = `daemon-${cgroups}`
  const service = new BridgedService(host, engine, `${name}-${engine}`)
  const options = [`--cgroups=${cgroups}`, `--annotation=io.sdbridge.daemon=${service.id}`]
  return await BridgedService.write(host, engine, name, {
    execStart: imageCommand('podman', 'run', { argv: service.payloadCommand, options }),
    settings: SETTINGS,
  })
}

/** A unit that starts no container. */
async function writeMain(
  host: ContainerHost,
  engine: EngineName,
  situation: string,
): Promise<BridgedService> {
  return await BridgedService.write(host, engine, `daemon-${situation}`, {
    execStart: ['/bin/sleep', 'infinity'],
    settings: SETTINGS,
  })
}

async function expectBridged(service: BridgedService, payload: Payload): Promise<void> {
  expect(await payload.environment()).toMatchObject({
    NOTIFY_SOCKET: '/run/notify/notify.sock',
    WATCHDOG_USEC: '60000000',
    FDSTORE: '7',
  })
  expect(await payload.listFolder('/run/notify')).toEqual(['notify.sock'])
  await payload.openMemory('state', 'kept')
  await payload.send('FDSTORE=1\nFDNAME=state\nSTATUS=from within', { files: ['state'] })
  await service.waitFor({ StatusText: 'from within', NFileDescriptorStore: '1' })
  expect(await containersOf(service)).toMatchObject([
    { name: service.unit, unit: service.unit, state: 'ready', status: 'from within' },
  ])
}

/** What the daemon bridges for a unit. */
async function containersOf({ host, unit }: BridgedService) {
  const all = await new DaemonHost(host.machine).list()
  return all.filter((each) => each.unit === unit)
}

async function expectNone(service: BridgedService): Promise<void> {
  await expect.poll(() => containersOf(service), { timeout: 20_000 }).toEqual([])
}

async function startLog(host: ContainerHost): Promise<void> {
  await host.machine.writeUnit('log.service', LOG_SERVICE)
  await host.machine.systemctl('start', 'log')
}

function configOf(host: ContainerHost, bundle: string): Promise<string> {
  return readFile(host.machine.path(`${bundle}/config.json`), 'utf8')
}

function sdbridge(host: ContainerHost, ...words: string[]) {
  const [file = '', ...args] = [...host.sdbridge, ...words]
  return host.machine.run(file, args)
}

/** As root does at a terminal. */
function inSession(host: ContainerHost, words: string[]) {
  const scope = ['--quiet', '--scope', '--slice=user-0.slice', '--']
  return host.machine.run('systemd-run', [...scope, ...words], {
    allowFailure: true,
    timeoutMs: 60_000,
  })
}
