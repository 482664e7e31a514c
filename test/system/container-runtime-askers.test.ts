import { chmod, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import { KNOWS_LAUNCHER, writeLauncher } from './containers/runtime-launcher.js'
import type { Payload } from './containers/payload.js'
import { listen } from './containers/unit-sockets.js'

/** The launcher looks into each configuration by it: so it is where a container's start can be held up. */
const SLOW_GREP = '/usr/local/lib/slow-grep'
const GATE = '/srv/gate'

const ASK = `
import json, socket, sys
asker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    asker.connect(sys.argv[1])
    try:
        asker.send(json.dumps({"version": 1, "id": sys.argv[2]}).encode())
    except BrokenPipeError:
        pass
    try:
        answer, fds, _, _ = socket.recv_fds(asker, 10000, 10)
    except ConnectionResetError:
        answer, fds, _, _ = socket.recv_fds(asker, 10000, 10)
    print(answer.decode(), len(fds))
except OSError as error:
    print(type(error).__name__)
`

const SYSTEM_SLICE = '/sys/fs/cgroup/system.slice'

/** Becomes a program in the group of a unit. */
const IN_GROUP = `mkdir -p ${SYSTEM_SLICE}/$0; echo $$ >${SYSTEM_SLICE}/$0/cgroup.procs; exec "$@"`

const REFUSED: [who: string, options: (unit: string) => string[], reason: RegExp][] = [
  ['a container', () => [], /in another pid namespace/],
  ['a privileged one', () => ['--privileged', '--cgroupns=host'], /in another pid namespace/],
  [
    'one among the host’s processes',
    () => ['--pid=host'],
    /in the cgroup \/docker\/.*: expected that of/,
  ],
  [
    'one that has all of the host',
    () => ['--pid=host', '--cgroupns=host', '--privileged', '--ipc=host', '--uts=host'],
    /in the cgroup \/docker\/.*: expected that of/,
  ],
  [
    'one below the engine’s own group',
    () => [
      '--pid=host',
      '--cgroupns=host',
      '--privileged',
      '--cgroup-parent=/system.slice/docker.service/below',
    ],
    /in the cgroup \/system\.slice\/docker\.service\/below\/.*: expected that of/,
  ],
  [
    'one below the unit’s group',
    (unit) => [
      '--pid=host',
      '--cgroupns=host',
      '--privileged',
      `--cgroup-parent=/system.slice/${unit}/below`,
    ],
    /in the cgroup \/system\.slice\/.*\/below\/.*: expected that of/,
  ],
]

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
    prepare: async (host) => {
      const { machine } = host
      const script = `#!/bin/sh\nwhile [ -e ${GATE} ]; do sleep 0.1; done\nexec /usr/bin/grep "$@"\n`
      await writeFile(machine.path(SLOW_GREP), script)
      await chmod(machine.path(SLOW_GREP), 0o755)
      await writeLauncher(host, SLOW_GREP)
    },
  },
)

interface HeldUp {
  service: BridgedService
  /** What its container's runtime will ask by, and where. */
  id: string
  path: string
}

/**
 * Starts a unit whose container is about to be made: its bridge waits for who asks. Lets it start after the action, and sees that it has
 * what nobody else could have.
 */
async function heldUp(
  host: ContainerHost,
  name: string,
  action: (heldUp: HeldUp) => Promise<void> = async () => {},
): Promise<HeldUp & { payload: Payload }> {
  const { machine } = host
  const settings = 'TimeoutStartSec=100'
  const service = await BridgedService.write(host, 'docker', name, { settings })
  await listen(host, service, 'web')
  await writeFile(machine.path(GATE), '')
  let found: HeldUp
  try {
    await service.systemctl('start', '--no-block')
    found = { service, ...(await requestOf(host)) }
    await action(found)
  } finally {
    // Until then the engine does nothing else with the container either.
    await machine.run('rm', [GATE])
  }
  const payload = await service.payload()
  await payload.send('READY=1')
  expect(await payload.listenFds()).toEqual([{ name: 'web', content: 'socket' }])
  return { ...found, payload }
}

/** As the command line of the engine's client has it; the engine itself has no answers while it starts the container. */
async function requestOf({ machine }: ContainerHost): Promise<{ id: string; path: string }> {
  const script =
    "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep --max-count=1 ^io.sdbridge.descriptors="
  let line = ''
  await expect
    .poll(
      async () => {
        line = (await machine.run('sh', ['-c', script], { allowFailure: true })).stdout
        return line
      },
      { timeout: 30_000 },
    )
    .not.toBe('')
  const [, id = '', path = ''] = /=([\da-f]{32})@(\/run\/.*)\n$/.exec(line) ?? []
  expect([id, path]).not.toContain('')
  return { id, path }
}
