import { expect } from 'vitest'
import { describeContainers } from './containers/describe-containers.js'
import {
  ASK,
  heldUp,
  IN_GROUP,
  REFUSED,
  SYSTEM_SLICE,
  writeSlowLauncher,
} from './containers/held-up.js'
import { KNOWS_LAUNCHER } from './containers/runtime-launcher.js'

describeContainers(
  'who asks for the sockets of a unit',
  (scenario) => {
    scenario(
      'askers',
      'root in a container, with the socket and the id, gets none',
      async (host) => {
        await heldUp(host, 'attacked', async ({ service, id, path }) => {
          for (const [who, options, reason] of REFUSED) {
            const [file = '', ...args] = [
              ...[
                'docker',
                'run',
                '--rm',
                '--runtime=runc',
                '--volume',
                '/run:/host-run',
                ...options(service.unit),
              ],
              ...['payload', 'python3', '-c', ASK, path.replace('/run/', '/host-run/'), id],
            ]
            const { stdout } = await host.machine.run(file, args, { timeoutMs: 60_000 })
            expect(`${who}: ${stdout}`).toMatch(reason)
            expect(`${who}: ${stdout}`).toMatch(/"error":.* 0\n$/)
            await service.waitForOutput('sdbridge: no descriptors for who asks at')
            expect(`${who}: ${service.output()}`).toMatch(reason)
          }
          // The engine's own do not go with the container.
          const below = ['docker.service', service.unit].map(
            (each) => `${SYSTEM_SLICE}/${each}/below`,
          )
          await host.machine.run('sh', ['-c', 'rmdir "$@" || true', 'sh', ...below])
        })
      },
    )

    scenario('askers', 'others on the host, with the socket and the id, get none', async (host) => {
      const { machine } = host
      await heldUp(host, 'asked', async ({ id, path }) => {
        const words = ['python3', '-c', ASK, path, id]
        const asked = async (file: string, ...args: string[]): Promise<string> =>
          (await machine.run(file, [...args, ...words])).stdout
        expect(await asked('setpriv', '--reuid=4711', '--regid=4711', '--clear-groups')).toBe(
          'PermissionError\n',
        )
        expect(await asked('sh', '-c', IN_GROUP, 'other.service')).toMatch(
          /in the cgroup \/system\.slice\/other\.service.*: expected that of .*"} 0/,
        )
        expect(await asked('unshare', '--user', '--map-root-user')).toMatch(
          /in another user namespace/,
        )
        expect(await asked('unshare', '--pid', '--fork')).toMatch(/in another pid namespace/)
        // Where the engine is, but without the id of this start.
        const wrong = id.replaceAll(/[0-7]/g, '8')
        const mistaken = ['docker.service', ...words.slice(0, 3), path, wrong]
        expect(await asked('sh', '-c', IN_GROUP, ...mistaken)).toMatch(
          /its id is that of another start"} 0/,
        )
        await machine.run('rmdir', [`${SYSTEM_SLICE}/other.service`])
        // Whoever is let into a directory finds it; an abstract socket would be for the whole network namespace.
        const { stdout } = await machine.run('cat', ['/proc/net/unix'])
        const listening = stdout
          .split('\n')
          .filter((line) => / 00010000 0005 /.test(line) && line.includes('sdbridge'))
        expect(listening.map((line) => line.split(' ').at(-1))).toEqual([path])
        const { stdout: modes } = await machine.run('stat', [
          '--format=%a %U',
          path,
          path.replace(/\/[^/]*$/, ''),
        ])
        expect(modes).toMatch(/^600 root\n700 root\n$/)
      })
    })

    scenario('askers', 'the id is good for one answer, and no payload knows it', async (host) => {
      const { machine } = host
      const { payload, id, path } = await heldUp(host, 'known')
      expect(await payload.environment()).not.toHaveProperty('SDBRIDGE_DESCRIPTORS')
      for (const name of ['environ', 'cmdline', 'mountinfo', 'cgroup'])
        expect(await payload.readFile(`/proc/1/${name}`)).not.toContain(id)
      // In the unit itself, where the answer would be given.
      const { stdout: answer } = await machine.run('python3', ['-c', ASK, path, id])
      expect(answer).toBe('FileNotFoundError\n')
      const annotation = `io.sdbridge.descriptors=${id}@${path}`
      const second = [
        'run',
        '--rm',
        '--runtime=sdbridge',
        '--annotation',
        annotation,
        'payload',
        'true',
      ]
      await expect(machine.run('docker', second)).rejects.toThrow(
        /sdbridge: .*found nobody.*: start the unit, and not its container/,
      )
    })
  },
  {
    dockerd: [KNOWS_LAUNCHER],
    prepare: (host) => writeSlowLauncher(host),
  },
)
