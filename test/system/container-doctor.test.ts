import { expect } from 'vitest'
import type { Diagnosis } from '../../packages/oci-shim/src/doctor/diagnosis.js'
import { BridgedService, type BridgedServiceOptions } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName, Container } from './containers/container.js'
import { describeContainers, type Scenarios } from './containers/describe-containers.js'

/** Each fault in a unit that has no other: what is provoked, and what must be said of it. */
interface Fault {
  code: Diagnosis['code']
  severity: Diagnosis['severity']
  found: RegExp
  settings?: string
  unitSettings?: string
  bridge?: string[]
  container?: Partial<Container>
  execStart?: (host: ContainerHost, words: string[]) => string
  socket?: boolean
  engines?: EngineName[]
}

const FAULTS: Record<string, Fault> = {
  'Type=forking': {
    ...{ code: 'type', severity: 'fault', found: /Type=forking/ },
    settings: 'Type=forking',
  },
  'Type=exec, and nobody who hears': {
    ...{ code: 'type', severity: 'fault', found: /no NOTIFY_SOCKET/ },
    settings: 'Type=exec\nNotifyAccess=none',
  },
  'a mistyped Type=, which systemd takes for simple': {
    ...{ code: 'type', severity: 'hint', found: /Type=simple: the unit is active before/ },
    // The later of two counts, unless it is none.
    settings: 'Type=\nType=simple',
  },
  'NotifyAccess=all': {
    ...{ code: 'notify-access', severity: 'hint', found: /engine’s own programs may speak/ },
    settings: 'NotifyAccess=all',
  },
  '--main-pid with NotifyAccess=main': {
    ...{ code: 'notify-access', severity: 'fault', found: /--main-pid with NotifyAccess=main/ },
    ...{ settings: 'KillMode=control-group', bridge: ['--main-pid'] },
  },
  '--main-pid with KillMode=mixed': {
    ...{ code: 'kill-mode', severity: 'fault', found: /--main-pid with KillMode=mixed/ },
    ...{ settings: 'NotifyAccess=all', bridge: ['--main-pid'] },
  },
  'no Delegate=': {
    ...{ code: 'delegate', severity: 'risk', found: /without Delegate=yes/ },
    ...{ settings: 'Delegate=no', engines: ['podman', 'runc', 'crun'] },
  },
  'no ExecStopPost=': {
    ...{ code: 'exec-stop-post', severity: 'risk', found: /the container goes on/ },
    settings: 'ExecStopPost=',
  },
  'KillMode=control-group': {
    ...{ code: 'kill-mode', severity: 'risk', found: /own stop signal does not count/ },
    settings: 'KillMode=control-group',
  },
  'KillMode=process': {
    ...{ code: 'kill-mode', severity: 'risk', found: /KillMode=process/ },
    settings: 'KillMode=process',
  },
  'TimeoutStopSec=2': {
    ...{ code: 'stop-timeout', severity: 'risk', found: /TimeoutStopSec=2: / },
    settings: 'TimeoutStopSec=2',
  },
  'User= without a directory': {
    ...{ code: 'runtime-directory', severity: 'fault', found: /User=nobody/ },
    ...{ settings: 'User=nobody', engines: ['docker'] },
  },
  'ProtectSystem=strict without a directory': {
    ...{ code: 'runtime-directory', severity: 'fault', found: /\/run is read-only/ },
    settings: 'ProtectSystem=strict',
  },
  'MemoryDenyWriteExecute=': {
    ...{ code: 'memory-deny-write-execute', severity: 'fault', found: /compiles JavaScript/ },
    settings: 'MemoryDenyWriteExecute=yes',
  },
  'RestrictAddressFamilies= without AF_UNIX': {
    ...{ code: 'restrict-address-families', severity: 'fault', found: /=AF_INET: / },
    settings: 'RestrictAddressFamilies=AF_INET',
  },
  'a small LimitNOFILE=': {
    ...{ code: 'file-limit', severity: 'risk', found: /LimitNOFILE=1024/ },
    settings: 'LimitNOFILE=1024:1024',
  },
  'a watchdog over systemd in a container': {
    ...{ code: 'watchdog', severity: 'fault', found: /WatchdogSec=10 with --systemd/ },
    ...{ settings: 'WatchdogSec=10', bridge: ['--systemd'] },
  },
  'a shell in front that stays': {
    ...{ code: 'shell', severity: 'fault', found: /stays its parent/ },
    execStart: (_, words) => `/bin/sh -c "true; ${words.join(' ')}; true"`,
  },
  'a shell in front of the only command': {
    ...{ code: 'shell', severity: 'risk', found: /not every shell/ },
    execStart: (_, words) => `/bin/sh -c "${words.join(' ')}"`,
  },
  'a script that is not there': {
    ...{ code: 'program', severity: 'fault', found: /\/opt\/sdbridge is not there/ },
    execStart: (_, words) => `/opt/sdbridge ${words.slice(2).join(' ')}`,
  },
  'node that is not in PATH': {
    ...{ code: 'program', severity: 'fault', found: /is a script of node, which is not in/ },
    settings: 'Environment=PATH=/nowhere',
    execStart: (_, words) => words.slice(1).join(' '),
  },
  'an option that sdbridge does not have': {
    ...{ code: 'command', severity: 'fault', found: /Unknown option '--sender'/ },
    bridge: ['--sender', 'init'],
  },
  'restarts by the engine': {
    ...{ code: 'command', severity: 'fault', found: /restarts are the service manager's/ },
    container: { options: ['--restart=always'], isRemoved: false },
    engines: ['docker', 'podman'],
  },
  'a bundle that is not there': {
    ...{ code: 'command', severity: 'fault', found: /\/srv\/bundles\/nowhere/ },
    execStart: (_, words) =>
      words
        .map((word) => (word.startsWith('/srv/bundles') ? '/srv/bundles/nowhere' : word))
        .join(' '),
    engines: ['runc', 'crun'],
  },
  'an engine that is not there': {
    ...{ code: 'engine-missing', severity: 'fault', found: /\/opt\/\w+ is not/ },
    execStart: (_, words) =>
      words
        .map((word) => word.replace(/^\/usr\/bin\/(docker|podman|runc|crun)$/, '/opt/$1'))
        .join(' '),
  },
  'a docker of another host': {
    ...{ code: 'engine-remote', severity: 'fault', found: /tcp:\/\/192\.0\.2\.1:2375/ },
    ...{ settings: 'Environment=DOCKER_HOST=tcp://192.0.2.1:2375', engines: ['docker'] },
  },
  'a podman that talks to a service': {
    ...{ code: 'engine-remote', severity: 'fault', found: /CONTAINER_HOST/ },
    ...{ settings: 'Environment=CONTAINER_HOST=tcp://192.0.2.1:2375', engines: ['podman'] },
  },
  'a dockerd that does not answer': {
    ...{ code: 'engine-unreachable', severity: 'fault', found: /docker does not answer/ },
    ...{ settings: 'Environment=DOCKER_HOST=unix:///run/nobody.sock', engines: ['docker'] },
  },
  'not After=docker.service': {
    ...{ code: 'after-docker', severity: 'risk', found: /no After=docker\.service/ },
    ...{ unitSettings: 'Description=No order', engines: ['docker'] },
  },
  'sockets for docker': {
    ...{ code: 'sockets', severity: 'fault', found: /docker carries no descriptors/ },
    ...{ socket: true, engines: ['docker'] },
  },
  'sockets behind --init': {
    ...{ code: 'listen-pid', severity: 'fault', found: /with --init the payload is process 2/ },
    ...{ socket: true, container: { init: true }, engines: ['podman'] },
  },
  'sockets behind a shell of the image': {
    ...{ code: 'listen-pid', severity: 'fault', found: /the container starts a shell/ },
    ...{ socket: true, container: { image: 'behind-shell', argv: [] }, engines: ['podman'] },
  },
  'an image that is not here, and must not be pulled': {
    ...{ code: 'image', severity: 'fault', found: /not-here is not here/ },
    container: { image: 'not-here', options: ['--pull=never'] },
    engines: ['docker', 'podman'],
  },
  'an image whose pull counts for the start': {
    ...{ code: 'start-timeout', severity: 'risk', found: /TimeoutStartSec=60 \(--pull-limit 0\)/ },
    ...{ container: { image: 'not-here' }, bridge: ['--pull-limit', '0'] },
    engines: ['docker', 'podman'],
  },
  'an image that ExecStartPre= pulls': {
    ...{ code: 'start-timeout', severity: 'risk', found: /ExecStartPre= has TimeoutStartSec=60/ },
    ...{ container: { image: 'not-here' }, settings: 'ExecStartPre=/usr/bin/docker pull not-here' },
    engines: ['docker', 'podman'],
  },
  'an image, and no time for its pull to be noticed': {
    ...{ code: 'start-timeout', severity: 'risk', found: /TimeoutStartSec=2 / },
    ...{ container: { image: 'not-here' }, settings: 'TimeoutStartSec=2' },
    engines: ['docker', 'podman'],
  },
}

describeContainers('sdbridge doctor', declare, {
  async prepare(host) {
    await host.importImage('behind-shell', 'payload', ['CMD python3 /payload/remote.py; true'])
    // By the bus the words of a command are told exactly; the other machine does without.
    if (host.engines.includes('docker')) await host.machine.systemctl('start', 'dbus.service')
  },
})

function declare(scenario: Scenarios): void {
  scenario('doctor', 'a unit as it should be', async (host, engine) => {
    const service = await write(host, engine, 'sound')
    expect(await examine(host, service.unit)).toEqual([])
    const payload = await service.startReady()
    expect(await examine(host, service.unit)).toEqual([])
    await payload.send('STATUS=Still there')
  })

  for (const [situation, fault] of Object.entries(FAULTS)) {
    scenario(
      'doctor',
      situation,
      (host, engine) => expectDiagnosis(host, engine, fault),
      fault.engines?.flatMap((engine) => (engine === 'runc' ? [engine, 'runc on host'] : [engine])),
    )
  }

  scenario('doctor', 'files that have changed', async (host, engine) => {
    const service = await write(host, engine, 'stale')
    await service.startReady()
    await host.machine.run('sh', [
      '-c',
      // As an editor does it, and without daemon-reload. The file's time tells, in whole microseconds.
      `sed -i 's/TimeoutStopSec=30/TimeoutStopSec=40/' /run/systemd/system/${service.unit} && touch -d '+1 hour' /run/systemd/system/${service.unit}`,
    ])
    expect(await examine(host, service.unit)).toMatchObject([
      { code: 'needs-reload', severity: 'risk' },
    ])
  })

  scenario(
    'doctor',
    'a unit that is not there',
    async (host) => {
      expect(await examine(host, 'nowhere.service')).toMatchObject([
        {
          code: 'not-loaded',
          severity: 'fault',
          remedy: expect.stringMatching(/sdbridge unit prints one/),
        },
      ])
    },
    ['runc', 'runc on host'],
  )

  scenario(
    'doctor',
    'a unit that starts something else',
    async (host, engine) => {
      const service = await write(host, engine, 'other', { execStart: ['/bin/true'] })
      expect(await examine(host, service.unit)).toMatchObject([
        { code: 'no-bridge', severity: 'fault', found: expect.stringMatching('/bin/true') },
      ])
    },
    ['runc', 'runc on host'],
  )

  scenario(
    'doctor',
    'all units, for a person',
    async (host, engine) => {
      const service = await write(host, engine, 'risky', { settings: 'ExecStopPost=' })
      const socket = `${service.id}.path`
      // What nothing refers to is not loaded.
      await host.machine.writeUnit(socket, '[Path]\nPathExists=/nowhere\n')
      await host.machine.systemctl('start', socket)
      try {
        const { stdout, exitCode } = await host.machine.run(...command(host, 'doctor'), {
          allowFailure: true,
        })
        expect(stdout.split('\n')).toEqual([
          'host: nothing is wrong',
          expect.stringMatching(
            new RegExp(
              `^${service.unit}: risk: no ExecStopPost=.*: set ExecStopPost=.* \\[exec-stop-post\\]$`,
            ),
          ),
          '',
        ])
        expect(exitCode).toBe(1)
      } finally {
        await host.machine.systemctl('stop', socket)
        await host.machine.run('rm', [`/run/systemd/system/${socket}`])
      }
    },
    ['runc', 'runc on host'],
  )
}

async function expectDiagnosis(
  host: ContainerHost,
  engine: EngineName,
  fault: Fault,
): Promise<void> {
  const { bridge = [], container = {}, code, severity, found } = fault
  const service = await write(host, engine, 'wrong', { bridge, container }, fault.unitSettings)
  if (fault.execStart !== undefined) {
    const words = [...host.sdbridge, 'run', '--', ...(await service.engineCommand(container))]
    await service.writeDropIn(`ExecStart=\nExecStart=${fault.execStart(host, words)}`)
  }
  await host.machine.writeUnit(
    `${service.unit}.d/fault.conf`,
    `[Service]\n${fault.settings ?? ''}\n`,
  )
  const socket = `${service.id}.socket`
  if (fault.socket) {
    await host.machine.writeUnit(socket, '[Socket]\nListenStream=/run/wrong\nRemoveOnStop=yes\n')
    await host.machine.systemctl('start', socket)
  }
  try {
    const diagnoses = await examine(host, service.unit)
    expect(diagnoses).toMatchObject([{ code, severity, found: expect.stringMatching(found) }])
    expect(diagnoses[0]!.remedy).not.toBe('')
  } finally {
    if (fault.socket) {
      await host.machine.systemctl('stop', socket)
      await host.machine.run('rm', [`/run/systemd/system/${socket}`])
    }
  }
}

async function write(
  host: ContainerHost,
  engine: EngineName,
  name: string,
  options: BridgedServiceOptions = {},
  unitSettings = 'After=docker.service',
): Promise<BridgedService> {
  return await BridgedService.write(host, engine, name, {
    ...options,
    settings: `Restart=on-failure\n${options.settings ?? ''}\n[Unit]\n${unitSettings}`,
  })
}

/** What the doctor says of a unit; of the host it must say nothing. */
async function examine(host: ContainerHost, unit: string): Promise<Diagnosis[]> {
  const { stdout, stderr, exitCode } = await host.machine.run(
    ...command(host, 'doctor', '--json', '--unit', unit),
    { allowFailure: true },
  )
  const examinations = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { subject: string; diagnoses: Diagnosis[] })
  expect({ stderr, examinations }).toMatchObject({
    stderr: '',
    examinations: [{ subject: 'host', diagnoses: [] }, { subject: unit }],
  })
  const { diagnoses } = examinations[1]!
  expect(exitCode).toBe(diagnoses.some(({ severity }) => severity !== 'hint') ? 1 : 0)
  return diagnoses
}

function command(host: ContainerHost, ...words: string[]): [file: string, args: string[]] {
  const [node = '', ...script] = host.sdbridge
  return [node, [...script, ...words]]
}
