import { expect } from 'vitest'
import type { Machine } from '../machine/machine.js'
import { ConnectedSocket } from './connected-socket.js'
import { Following } from './following.js'
import { inside } from '../repository.js'

const SOCKETS = '/var/lib/sdbridge-daemon/notify'
/** As whoever has logged in, and become root. */
const IN_A_SESSION: [string, ...string[]] = [
  'systemd-run',
  '--quiet',
  '--scope',
  '--slice=user-0.slice',
  '--',
]
const LONGEST_WAIT_MS = 30_000

/** A machine on which `sdbridge daemon` is at work, as `sdbridge daemon install` has made its units. */
export class DaemonHost {
  readonly machine: Machine

  static async install(machine: Machine, units: readonly string[]): Promise<DaemonHost> {
    const host = new DaemonHost(machine)
    await host.sdbridge('daemon', 'install')
    await host.writeList(units)
    await machine.systemctl('daemon-reload')
    await machine.systemctl('start', 'sdbridge.service')
    return host
  }

  constructor(machine: Machine) {
    this.machine = machine
  }

  get command(): string[] {
    return [this.machine.nodePath, inside('packages/oci-shim/bin/sdbridge.js')]
  }

  async sdbridge(...words: string[]): Promise<string> {
    const [file, ...args] = [...IN_A_SESSION, ...this.command, ...words]
    const { stdout } = await this.machine.run(file, args, { timeoutMs: 60_000 })
    return stdout
  }

  /** The same where it is to fail; with what it says. */
  async trySdbridge(...words: string[]): Promise<string> {
    const [file, ...args] = [...IN_A_SESSION, ...this.command, ...words]
    const { stdout, stderr } = await this.machine.run(file, args, { allowFailure: true })
    return stdout + stderr
  }

  async writeList(lines: readonly string[]): Promise<void> {
    const text = lines.map((line) => `${line}\n`).join('')
    await this.machine.run('sh', ['-c', 'printf %s "$1" >/etc/sdbridge/units', 'sh', text])
  }

  /** What the daemon's control socket answers to a request of root's in a session. */
  ask(request: object): Promise<string> {
    return this.askAs(IN_A_SESSION, request)
  }

  /** The same as another process may try it; with whatever becomes of it. */
  async tryAs(prefix: readonly string[], request: object): Promise<string> {
    const [file = '', ...args] = this.#askingWords(prefix, request)
    const { stdout, stderr } = await this.machine.run(file, args, { allowFailure: true })
    return stdout + stderr
  }

  /** The same of a process in the control group of a unit. */
  async askIn(unit: string, request: object): Promise<string> {
    return await this.askAs(['sh', '-c', MOVE_IN, 'sh', unit], request)
  }

  async askAs(prefix: readonly string[], request: object): Promise<string> {
    const [file = '', ...args] = this.#askingWords(prefix, request)
    const { stdout } = await this.machine.run(file, args)
    return stdout
  }

  #askingWords(prefix: readonly string[], request: object): string[] {
    const script = inside('test/system/daemon/ask-daemon.mjs')
    return [...prefix, this.machine.nodePath, script, JSON.stringify(request)]
  }

  /**
   * Writes a unit whose main process registers a container with this name, and stays.
   *
   * @param settings For the section `[Service]`.
   * @param more What else it asks for.
   */
  async writeService(name: string, settings = '', more: object = {}): Promise<void> {
    const container = { id: `id-${name}`, engine: 'runc' }
    const request = { command: 'register', name, container, ...more }
    const words = [
      this.machine.nodePath,
      inside('test/system/daemon/ask-daemon.mjs'),
      `'${JSON.stringify(request)}'`,
    ]
    await this.machine.writeUnit(
      `${name}.service`,
      `[Service]
Type=notify
ExecStart=/bin/sh -c "${words.join(' ').replaceAll('"', String.raw`\"`)} >/run/${name}.reply && exec sleep infinity"
UnsetEnvironment=NOTIFY_SOCKET
TimeoutStartSec=30
${settings}`,
    )
  }

  /** Starts it, and waits until its container is registered. */
  async start(name: string): Promise<void> {
    await this.machine.systemctl('start', '--no-block', `${name}.service`)
    // oxlint-disable-next-line vitest/no-standalone-expect
    await expect
      .poll(async () => (await this.list()).map((each) => each.name), { timeout: LONGEST_WAIT_MS })
      .toContain(name)
  }

  /** Sends a message as the container does. */
  async send(name: string, message: string, ...options: string[]): Promise<void> {
    const script =
      'import socket,sys; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.connect(sys.argv[1]); s.send(sys.argv[2].encode())'
    await this.machine.run('python3', ['-c', script, this.socketOf(name), message, ...options])
  }

  /** A container's socket that stays connected, as libsystemd's is not, and Node's is. */
  async openSocket(name: string): Promise<ConnectedSocket> {
    const child = this.machine.spawn('python3', ['-u', '-c', CONNECTED, this.socketOf(name)])
    const socket = new ConnectedSocket(child)
    await socket.ready()
    return socket
  }

  /** `sdbridge events --json` */
  async follow(): Promise<Following> {
    const [file, ...args] = [...IN_A_SESSION, ...this.command, 'events', '--json']
    const following = new Following(this.machine.spawn(file, args))
    // Whom it refuses is an event: so it is known when the following has begun.
    await following.waitUntilHeard('"event":"refused"', async () => {
      await this.ask({ command: 'nonsense' })
    })
    return following
  }

  show(unit: string, ...properties: string[]): Promise<Record<string, string>> {
    return this.machine.show(unit, ...properties)
  }

  socketOf(name: string): string {
    return `${SOCKETS}/${name}/notify.sock`
  }

  async list(): Promise<ListedContainer[]> {
    const text = await this.sdbridge('ps', '--json')
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as ListedContainer)
  }

  /** Waits until these are the containers that are bridged. */
  async waitForList(names: readonly string[]): Promise<void> {
    // oxlint-disable-next-line vitest/no-standalone-expect
    await expect
      .poll(async () => (await this.list()).map(({ name }) => name).toSorted(), {
        timeout: LONGEST_WAIT_MS,
      })
      .toEqual(names)
  }

  waitFor(unit: string, expected: Record<string, string>): Promise<void> {
    return this.machine.waitFor(unit, expected, { timeoutMs: LONGEST_WAIT_MS })
  }
}

const MOVE_IN = `
cgroup=$(systemctl show --value --property=ControlGroup "$1")
shift
for root in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
  [ ! -e "$root$cgroup/cgroup.procs" ] || echo $$ >"$root$cgroup/cgroup.procs"
done
exec "$@"`

const CONNECTED = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
print('connected')
for line in sys.stdin:
    s.send(line.rstrip('\\n').encode())
    print('sent')`

/** A line of `sdbridge ps --json`. */
export interface ListedContainer {
  name: string
  unit: string
  mainPid: number
  container: { id: string; engine: string }
  state: string
  status?: string
  forwarded: number
  received: number
  droppedMessages: Record<string, number>
}
