import { chmod, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { BridgedService } from './bridged-service.js'
import type { ContainerHost } from './container-host.js'
import type { Payload } from './payload.js'
import { writeLauncher } from './runtime-launcher.js'
import { listen } from './unit-sockets.js'

/** The launcher looks into each configuration by it: so it is where a container's start can be held up. */
const SLOW_GREP = '/usr/local/lib/slow-grep'
const GATE = '/srv/gate'

/** Asks at a socket by an id, as a runtime does; prints the answer, and how many descriptors came with it. */
export const ASK = `
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

export const SYSTEM_SLICE = '/sys/fs/cgroup/system.slice'

/** Becomes a program in the group of a unit. */
export const IN_GROUP = `mkdir -p ${SYSTEM_SLICE}/$0; echo $$ >${SYSTEM_SLICE}/$0/cgroup.procs; exec "$@"`

/** Containers whose root has the socket and the id, and why it gets nothing. */
export const REFUSED: [who: string, options: (unit: string) => string[], reason: RegExp][] = [
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

/** Has each container's start wait for as long as there is a gate. */
export async function writeSlowLauncher(host: ContainerHost): Promise<void> {
  const { machine } = host
  const script = `#!/bin/sh\nwhile [ -e ${GATE} ]; do sleep 0.1; done\nexec /usr/bin/grep "$@"\n`
  await writeFile(machine.path(SLOW_GREP), script)
  await chmod(machine.path(SLOW_GREP), 0o755)
  await writeLauncher(host, SLOW_GREP)
}

export interface HeldUp {
  service: BridgedService
  /** What its container's runtime will ask by, and where. */
  id: string
  path: string
}

/**
 * Starts a unit whose container is about to be made: its bridge waits for who asks. Lets it start after the action, and sees that it has
 * what nobody else could have.
 */
export async function heldUp(
  host: ContainerHost,
  name: string,
  action: (heldUp: HeldUp) => Promise<void> = async () => {},
  bridge: string[] = [],
): Promise<HeldUp & { payload: Payload }> {
  const found = await holdUp(host, name, action, bridge)
  const { service } = found
  const payload = await service.payload()
  await payload.send('READY=1')
  expect(await payload.listenFds()).toEqual([{ name: 'web', content: 'socket' }])
  return { ...found, payload }
}

/** The same, whatever becomes of it then. */
export async function holdUp(
  host: ContainerHost,
  name: string,
  action: (heldUp: HeldUp) => Promise<void>,
  bridge: string[] = [],
): Promise<HeldUp> {
  const { machine } = host
  const settings = 'TimeoutStartSec=100'
  const service = await BridgedService.write(host, 'docker', name, { settings, bridge })
  await listen(host, service, 'web')
  await writeFile(machine.path(GATE), '')
  try {
    await service.systemctl('start', '--no-block')
    const found = { service, ...(await requestOf(host)) }
    await action(found)
    return found
  } finally {
    // Until then the engine does nothing else with the container either.
    await machine.run('rm', [GATE])
  }
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
