import { expect } from 'vitest'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'
import {
  ASK,
  heldUp,
  holdUp,
  IN_GROUP,
  REFUSED,
  SYSTEM_SLICE,
  writeSlowLauncher,
} from './containers/held-up.js'
import { KNOWS_LAUNCHER } from './containers/runtime-launcher.js'
import { DaemonHost } from './daemon/daemon-host.js'

const BY_DAEMON = ['--daemon']

describeContainers(
  'who asks the daemon for the sockets of a unit',
  (scenario) => {
    scenario(
      'askers',
      'root in a container, with the socket and the id, gets none of the daemon',
      async (host) => {
        await heldUp(
          host,
          'by-daemon-attacked',
          async ({ service, id, path }) => {
            for (const [who, options, reason] of REFUSED) {
              const words = ['--rm', '--runtime=runc', '--volume', '/run:/host-run']
              const ask = ['python3', '-c', ASK, path.replace('/run/', '/host-run/'), id]
              const { stdout } = await host.machine.run(
                'docker',
                ['run', ...words, ...options(service.unit), 'payload', ...ask],
                { timeoutMs: 60_000 },
              )
              expect(`${who}: ${stdout}`).toMatch(reason)
              expect(`${who}: ${stdout}`).toMatch(/"error":.* 0\n$/)
            }
            // The engine's own do not go with the container.
            const below = ['docker.service', service.unit].map(
              (each) => `${SYSTEM_SLICE}/${each}/below`,
            )
            await host.machine.run('sh', ['-c', 'rmdir "$@" || true', 'sh', ...below])
          },
          BY_DAEMON,
        )
      },
    )

    scenario('askers', 'others on the host get none of the daemon', async (host) => {
      const { machine } = host
      await heldUp(
        host,
        'by-daemon-asked',
        async ({ id, path }) => {
          const asked = async (group: string, as: string): Promise<string> => {
            const words = [group, 'python3', '-c', ASK, path, as]
            return (await machine.run('sh', ['-c', IN_GROUP, ...words])).stdout
          }
          expect(await asked('other.service', id)).toMatch(
            /in the cgroup \/system\.slice\/other\.service.*: expected that of \/system\.slice\/by-daemon-asked-docker\.service, docker\.service, containerd\.service"} 0/,
          )
          // Where the engine is, but without the id of this start.
          expect(await asked('docker.service', id.replaceAll(/[0-7]/g, '8'))).toMatch(
            /there are none for this start.*"} 0/,
          )
          await machine.run('rmdir', [`${SYSTEM_SLICE}/other.service`])
        },
        BY_DAEMON,
      )
    })

    scenario('askers', 'what the daemon kept is good for one answer', async (host) => {
      const { id, path } = await heldUp(host, 'by-daemon-known', undefined, BY_DAEMON)
      const annotation = `io.sdbridge.descriptors=${id}@${path}`
      const second = ['--rm', '--runtime=sdbridge', '--annotation', annotation, 'payload', 'true']
      await expect(host.machine.run('docker', ['run', ...second])).rejects.toThrow(
        /sdbridge: .*there are none for this start: .*start the unit anew/,
      )
    })

    scenario(
      'askers',
      'a daemon that was restarted in between has none, and the unit is told',
      async (host) => {
        const { service } = await holdUp(
          host,
          'by-daemon-forgotten',
          async ({ service: held }) => {
            await held.writeDropIn(TELLS_ENDING)
            await host.machine.systemctl('daemon-reload')
            await host.machine.systemctl('restart', 'sdbridge.service')
          },
          BY_DAEMON,
        )
        await service.waitForOutput('the daemon was restarted after it had been given them')
        await waitForEnding(service, 'exit-code exited 125')
      },
    )
  },
  {
    dockerd: [KNOWS_LAUNCHER],
    prepare: async (host) => {
      await writeSlowLauncher(host)
      await DaemonHost.install(host.machine, ['by-daemon-*.service'])
    },
  },
)
