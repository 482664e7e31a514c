import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING } from './containers/ending.js'
import {
  expectAllArrived,
  expectOnlyEndLost,
  startStream,
  streamGoesOn,
} from './containers/message-stream.js'
import type { Payload } from './containers/payload.js'
import { startAndStop } from './containers/start-and-stop.js'
import { whileManagerIsStopped } from './remote/stopped-manager.js'

/** What waits in a socket: net.unix.max_dgram_qlen, and one more. */
const IN_SOCKET = 512 + 1
/** What the bridge takes in at once. */
const AT_ONCE = 64
/** What waits in the bridge while the manager reads nothing: it reads on until 512 or more wait. */
const IN_BRIDGE = 512 + AT_ONCE - 1

const SETTINGS = `FileDescriptorStoreMax=10000\n${TELLS_ENDING}`

/** The manager's part is the same with each engine. */
const EACH_MANAGER = ['podman', 'runc on host'] as const

describeContainers(
  'a stream of messages, in the middle of it',
  (scenario) => {
    scenario(
      'stream',
      'daemon-reexec, twice: nothing is lost',
      async (host, engine) => {
        const service = await write(host, engine, 'reexec')
        const payload = await startStream(service)
        for (let count = 0; count < 2; count++) {
          await host.machine.run('systemctl', ['daemon-reexec'], { timeoutMs: 60_000 })
          await streamGoesOn(payload)
        }
        await expectAllArrived(service, payload)
      },
      EACH_MANAGER,
    )

    scenario(
      'stream',
      'SIGSTOP of the manager until the payload waits: nothing is lost',
      async (host, engine) => {
        const service = await write(host, engine, 'stopped-manager')
        const payload = await startStream(service)
        await whileManagerIsStopped(host.machine, () => fills(payload))
        await streamGoesOn(payload)
        await expectAllArrived(service, payload)
      },
      EACH_MANAGER,
    )

    scenario(
      'stream',
      'SIGSTOP of the bridge until the payload waits: nothing is lost',
      async (host, engine) => {
        const service = await write(host, engine, 'stopped-bridge')
        const payload = await startStream(service)
        await whileStopped(host, await service.mainPid(), () => fills(payload))
        await streamGoesOn(payload)
        await expectAllArrived(service, payload)
      },
      ['docker', 'runc on host'],
    )

    scenario(
      'stream',
      'SIGKILL of the payload, and the bridge has read nothing for a while: nothing is lost',
      async (host, engine) => {
        const service = await write(host, engine, 'no-payload')
        const payload = await startStream(service)
        await whileStopped(host, await service.mainPid(), async () => {
          await fills(payload)
          await host.machine.run('pkill', [
            '-KILL',
            '--full',
            `^${service.payloadCommand.join(' ')}$`,
          ])
          await payload.ended
        })
        await service.waitFor({ ActiveState: 'failed', Result: 'signal', ExecMainStatus: '9' })
        await expectOnlyEndLost(service, payload, 0)
        await startAndStop(service)
      },
    )

    scenario('stream', 'SIGKILL of the bridge', async (host, engine) => {
      const service = await write(host, engine, 'no-bridge')
      const payload = await startStream(service)
      await host.machine.run('kill', ['-KILL', await service.mainPid()])
      await expectKilled(service, payload, AT_ONCE + IN_SOCKET)
    })

    scenario(
      'stream',
      'SIGKILL of the bridge while the manager is stopped, and the payload waits',
      async (host, engine) => {
        const service = await write(host, engine, 'full-bridge')
        const payload = await startStream(service)
        const bridge = await service.mainPid()
        await whileManagerIsStopped(host.machine, async () => {
          await fills(payload)
          await host.machine.run('kill', ['-KILL', bridge])
        })
        await expectKilled(service, payload, IN_BRIDGE + IN_SOCKET)
      },
      ['docker', 'runc on host'],
    )

    scenario('stream', 'SIGKILL of the whole unit', async (host, engine) => {
      const service = await write(host, engine, 'no-unit')
      const payload = await startStream(service)
      await service.systemctl('kill', '--signal=KILL', '--kill-whom=all')
      await expectKilled(service, payload, AT_ONCE + IN_SOCKET)
    })

    scenario(
      'stream',
      'SIGKILL of the engine’s client: nothing is lost',
      async (host, engine) => {
        const service = await write(host, engine, 'no-client')
        const payload = await startStream(service)
        await killClient(service)
        await streamGoesOn(payload, 500)
        await expectAllArrived(service, payload)
        await payload.exit(4)
        await service.waitFor({ ActiveState: 'failed', ExecMainStatus: '4' })
        await startAndStop(service)
      },
      ['docker', 'podman'],
    )

    scenario(
      'stream',
      'SIGKILL of the runtime, which ends the container: nothing is lost that it has sent',
      async (host, engine) => {
        const service = await write(host, engine, 'no-runtime')
        const payload = await startStream(service)
        await killClient(service)
        await payload.ended
        await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
        await expectOnlyEndLost(service, payload, 0)
        await startAndStop(service)
      },
      ['runc', 'crun', 'runc on host'],
    )

    scenario(
      'stream',
      'SIGKILL of conmon, which ends the container: nothing is lost that it has sent',
      async (host, engine) => {
        const service = await write(host, engine, 'no-conmon')
        const payload = await startStream(service)
        await host.machine.run('pkill', ['-KILL', '--exact', 'conmon'])
        await payload.ended
        // Podman's way to say that it does not know.
        await service.waitFor({ ActiveState: 'failed', ExecMainStatus: '127' })
        await expectOnlyEndLost(service, payload, 0)
        await startAndStop(service)
      },
      ['podman'],
    )

    scenario(
      'stream',
      'SIGKILL of podman and then of conmon: the container goes on to its end',
      async (host, engine) => {
        const service = await write(host, engine, 'podman-and-conmon')
        const payload = await startStream(service)
        await killClient(service)
        await host.machine.run('pkill', ['-KILL', '--exact', 'conmon'])
        await streamGoesOn(payload, 500)
        await expectAllArrived(service, payload)
        await payload.exit(4)
        // Nobody knows how it ended, but that it did.
        await service.waitFor({ ActiveState: 'failed', Result: 'signal', ExecMainStatus: '9' })
        await startAndStop(service)
      },
      ['podman'],
    )

    scenario(
      'stream',
      'SIGKILL of containerd, which dockerd starts anew: nothing is lost',
      async (host, engine) => {
        const service = await write(host, engine, 'no-containerd', 'TimeoutStopSec=12')
        const payload = await startStream(service)
        await host.machine.run('pkill', ['-KILL', '--exact', 'containerd'])
        await streamGoesOn(payload, 500)
        await expectAllArrived(service, payload)
        // Docker does not learn of a container's end any more, so a stop takes all of its time.
        await service.systemctl('stop')
        await payload.ended
        await startAndStop(service)
      },
      ['docker'],
    )

    scenario(
      'stream',
      'SIGKILL of the container’s shim, which ends the container: nothing is lost that it has sent',
      async (host, engine) => {
        const service = await write(host, engine, 'no-shim')
        const payload = await startStream(service)
        await host.machine.run('pkill', ['-KILL', '--full', '^/usr/bin/containerd-shim'])
        await payload.ended
        await service.waitFor({ ActiveState: 'failed', Result: 'signal', ExecMainStatus: '9' })
        await expectOnlyEndLost(service, payload, 0)
        await startAndStop(service)
      },
      ['docker'],
    )

    for (const whom of ['main', 'all']) {
      scenario(
        'stream',
        `SIGKILL of docker.service (${whom}), which ends the container when it is back: nothing is lost that it has sent`,
        async (host, engine) => {
          const service = await write(host, engine, `no-docker-${whom}`)
          const payload = await startStream(service)
          await killDocker(host, whom)
          await streamGoesOn(payload)
          await startDocker(host)
          await payload.ended
          await service.waitFor({ ActiveState: 'failed', ExecMainStatus: '125' })
          await expectOnlyEndLost(service, payload, 0)
          await startAndStop(service)
        },
        ['docker'],
      )
    }
  },
  { prepare },
)

describeContainers(
  'a stream of messages, in the middle of it, with live-restore',
  (scenario) => {
    scenario(
      'stream',
      'SIGKILL of dockerd: nothing is lost, and the container goes on',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'live-restore', {
          settings: SETTINGS,
          // With --rm, its exit code would be gone if it ended before the bridge has asked again.
          container: { name: 'live-restore', isRemoved: false },
        })
        const payload = await startStream(service)
        await killDocker(host, 'main')
        await streamGoesOn(payload)
        await startDocker(host)
        await streamGoesOn(payload)
        await expectAllArrived(service, payload)
        await payload.exit(4)
        await service.waitFor({ ActiveState: 'failed', ExecMainStatus: '4' })
        await startAndStop(service)
      },
      ['docker'],
    )
  },
  { prepare, dockerd: ['--live-restore'] },
)

/** The manager's log is to tell each notification. */
async function prepare({ machine }: ContainerHost): Promise<void> {
  await machine.systemctl('log-level', 'debug')
}

function write(
  host: ContainerHost,
  engine: EngineName,
  name: string,
  settings = '',
): Promise<BridgedService> {
  return BridgedService.write(host, engine, name, { settings: `${SETTINGS}\n${settings}` })
}

async function killClient(service: BridgedService): Promise<void> {
  const parent = await service.mainPid()
  await service.host.machine.run('pkill', ['-KILL', '--parent', parent, '--exact', service.engine])
}

async function killDocker({ machine }: ContainerHost, whom: string): Promise<void> {
  await machine.systemctl('kill', '--signal=KILL', `--kill-whom=${whom}`, 'docker')
  await machine.waitFor('docker.service', { ActiveState: 'failed' })
}

async function startDocker({ machine }: ContainerHost): Promise<void> {
  await machine.run('systemctl', ['start', 'docker'], { timeoutMs: 60_000 })
}

/** Stops a process, as Ctrl-Z stops a program in a terminal, and lets it go on when the action is over. */
async function whileStopped(
  { machine }: ContainerHost,
  pid: string,
  action: () => Promise<void>,
): Promise<void> {
  await machine.run('kill', ['-STOP', pid])
  try {
    await action()
  } finally {
    await machine.run('kill', ['-CONT', pid])
  }
}

/** Waits until the container socket takes no more, and the payload waits. */
async function fills(payload: Payload): Promise<void> {
  await expect.poll(() => payload.floodUntilFull('X_PROBE=1', 1), { timeout: 30_000 }).toBe(0)
}

/** The end of a unit whose bridge was killed: no more than so many messages are lost, and the next start is clean. */
async function expectKilled(
  service: BridgedService,
  payload: Payload,
  most: number,
): Promise<void> {
  await payload.ended
  await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
  await expectOnlyEndLost(service, payload, most)
  await startAndStop(service)
}
