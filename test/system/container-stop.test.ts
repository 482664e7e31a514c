import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import type { Container, EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'
import { inside } from './repository.js'

const IMAGE = 'localhost:5000/payload:latest'

describeContainers(
  'systemctl stop',
  (scenario) => {
    scenario('stop', 'the image’s STOPSIGNAL, and no other signal', async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'quits', {
        settings: TELLS_ENDING,
        container: quitting(engine),
      })
      const payload = await service.startReady()
      await service.systemctl('stop')
      await payload.ended
      expect(payload.signals).toEqual(['SIGQUIT'])
      await waitForEnding(service, 'success exited 0')
    })

    scenario(
      'stop',
      'KillMode=control-group: STOPSIGNAL comes beside SIGTERM',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'all-told', {
          settings: `KillMode=control-group\n${TELLS_ENDING}`,
          container: quitting(engine),
        })
        const payload = await service.startReady()
        await payload.outlive('SIGTERM', 'SIGQUIT')
        const stopped = service.systemctl('stop')
        await expect.poll(() => payload.signals, { timeout: 20_000 }).toContain('SIGQUIT')
        // It goes on until it has done what it has to.
        await payload.send('STATUS=writing it down')
        await service.waitFor({ ActiveState: 'deactivating', StatusText: 'writing it down' })
        await payload.exit(0)
        await stopped
        // Of podman, SIGTERM may have ended conmon as well, which alone knows the exit code: that is then lost.
        if (engine === 'podman') await service.waitForOutput('ended: success ')
        else await waitForEnding(service, 'success exited 0')
      },
    )

    for (const killMode of ['mixed', 'control-group']) {
      scenario(
        'stop',
        `KillMode=${killMode}: a payload that ignores it is ended by its engine before TimeoutStopSec=`,
        async (host, engine) => {
          const service = await BridgedService.write(host, engine, `deaf-${killMode}`, {
            settings: `KillMode=${killMode}\nTimeoutStopSec=16`,
          })
          const payload = await service.startReady()
          await payload.outlive('SIGTERM', 'SIGQUIT')
          await service.systemctl('stop')
          await payload.ended
          expect(payload.signals).toContain('SIGTERM')
          await service.waitForOutput('s after SIGTERM, and is killed')
          const { Result } = await service.show('Result')
          // Not `timeout`, which would be the service manager's own SIGKILL of the bridge.
          expect(Result).toBe('signal')
          expect(await host.machine.log()).not.toMatch(new RegExp(`${service.unit}: .*timed out`))
        },
      )
    }

    scenario('stop', 'an exit code of the payload’s own at the end', async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'last-code')
      const payload = await service.startReady()
      await payload.outlive('SIGTERM', 'SIGQUIT')
      const stopped = service.systemctl('stop')
      await expect.poll(() => payload.signals, { timeout: 20_000 }).toEqual(['SIGTERM'])
      await payload.exit(7)
      await stopped
      expect(await service.show('ActiveState', 'Result', 'ExecMainCode', 'ExecMainStatus')).toEqual(
        {
          ActiveState: 'failed',
          Result: 'exit-code',
          ExecMainCode: '1',
          ExecMainStatus: '7',
        },
      )
    })
  },
  { prepare: addQuittingImage },
)

describeContainers('an image that takes long to fetch', (scenario) => {
  scenario(
    'pull',
    'from a registry that is slow: the start timeout is extended until it is there',
    async (host, engine) => {
      const { machine } = host
      const release = `/run/release-${engine}`
      // Of its own, so that it is this one that is heard to serve.
      const registry = `registry-${engine}`
      await machine.writeUnit(
        `${registry}.service`,
        `[Service]\nExecStart=${machine.nodePath} ${inside('test/system/fixtures/registry.mjs')} 5000 /srv/images/payload ${release}\n`,
      )
      await machine.systemctl('start', registry)
      await machine.waitForOutput(registry, 'serving')
      const service = await BridgedService.write(host, engine, 'fetched', {
        settings: 'TimeoutStartSec=15',
        container: {
          image: IMAGE,
          ...(engine === 'podman' && { options: ['--tls-verify=false'] }),
        },
      })
      try {
        await service.systemctl('start', '--no-block')
        await service.waitFor({ StatusText: pullStatus(engine) })
        // Past the time that the unit file gives it.
        await machine.run('sleep', ['17'])
        expect(await service.show('ActiveState', 'StatusText')).toEqual({
          ActiveState: 'activating',
          StatusText: pullStatus(engine),
        })
        await machine.run('touch', [release])
        const payload = await service.payload()
        await payload.send('READY=1')
        await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusText: '' })
        await service.systemctl('stop')
        await machine.run(engine, ['rmi', IMAGE])
      } finally {
        // The next engine's registry has the same port.
        await machine.systemctl('stop', registry)
        await machine.run('rm', ['-f', release])
      }
    },
    ['docker', 'podman'],
  )

  scenario(
    'pull',
    'a dockerd that does not answer: the same',
    async (host) => {
      const docker = await writeStallingDocker(host)
      const service = await BridgedService.write(host, 'docker', 'pulled', {
        settings: 'TimeoutStartSec=15',
      })
      const [, ...rest] = await service.engineCommand()
      await service.writeDropIn(
        `ExecStart=\nExecStart=${[...host.sdbridge, 'run', '--', docker, ...rest].join(' ')}`,
      )
      try {
        await service.systemctl('start', '--no-block')
        await service.waitFor({ StatusText: pullStatus('docker') })
        // Past the time that the unit file gives it.
        await host.machine.run('sleep', ['17'])
        expect(await service.show('ActiveState', 'StatusText')).toEqual({
          ActiveState: 'activating',
          StatusText: pullStatus('docker'),
        })
      } finally {
        await host.machine.run('sh', ['-c', 'kill -CONT "$(cat /run/docker.pid)"'])
      }
      const payload = await service.payload()
      await payload.send('READY=1')
      await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusText: '' })
    },
    ['docker'],
  )
})

function pullStatus(engine: EngineName): string {
  return `Waiting for ${engine} to pull the image or to create the container`
}

/** Of an image, or of a bundle, that is to be stopped by SIGQUIT. */
function quitting(engine: EngineName): Partial<Container> {
  if (engine === 'docker' || engine === 'podman') return { image: 'quits' }
  return {
    edit: (config) => {
      config.annotations = {
        ...config.annotations,
        'org.opencontainers.image.stopSignal': 'SIGQUIT',
      }
    },
  }
}

async function addQuittingImage(host: ContainerHost): Promise<void> {
  await host.importImage('quits', 'payload', ['STOPSIGNAL SIGQUIT'])
}

/** A docker client that stops dockerd before it asks it for a container, as a registry that does not answer would. */
async function writeStallingDocker({ machine }: ContainerHost): Promise<string> {
  await mkdir(machine.path('/srv/stalling'), { recursive: true })
  const file = '/srv/stalling/docker'
  await writeFile(
    machine.path(file),
    '#!/bin/sh\n[ "$1" = run ] && kill -STOP "$(cat /run/docker.pid)"\nexec /usr/bin/docker "$@"\n',
  )
  await chmod(machine.path(file), 0o755)
  return file
}
