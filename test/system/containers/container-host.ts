import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Machine } from '../machine/machine.js'
import { inside } from '../repository.js'
import type { BridgedService } from './bridged-service.js'
import type { EngineName, RuntimeConfig } from './container.js'
import { engineCommand } from './engine-command.js'
import { Payloads } from './payloads.js'
import { configurePodman, startDocker } from './start-engines.js'

const execute = promisify(execFile)
const PAYLOAD_SOURCES = fileURLToPath(new URL('payload', import.meta.url))
const IMAGES = '/srv/images'
const BUNDLES = '/srv/bundles'

/** What an image is made of. */
export interface Image {
  /** Files of the machine, each with the shared libraries that it needs. */
  files: string[]
  /** As in a Dockerfile: `STOPSIGNAL SIGQUIT`. */
  changes?: string[]
}

/** A machine with container engines, and images that were made on the spot: there is no registry. */
export class ContainerHost {
  readonly machine: Machine
  readonly engines: readonly EngineName[]
  readonly payloads: Payloads
  /** What the test has written so far. */
  readonly services = new Set<BridgedService>()

  readonly #templates = new Map<EngineName, Promise<string>>()

  /** Starts the engines, and makes the image `payload`. */
  static async prepare(
    machine: Machine,
    engines: readonly EngineName[],
    { dockerd = [] }: { dockerd?: string[] } = {},
  ): Promise<ContainerHost> {
    const host = new ContainerHost(machine, engines, await Payloads.listen(machine))
    await mkdir(machine.path(BUNDLES), { recursive: true })
    await machine.run('mkdir', ['-p', IMAGES])
    await Promise.all([
      engines.includes('podman') && configurePodman(machine),
      engines.includes('docker') && startDocker(machine, dockerd),
    ])
    await host.#addPayload()
    return host
  }

  /** For `prepare()`. */
  constructor(machine: Machine, engines: readonly EngineName[], payloads: Payloads) {
    this.machine = machine
    this.engines = engines
    this.payloads = payloads
  }

  /** The `sdbridge` command. */
  get sdbridge(): string[] {
    return [this.machine.nodePath, inside('packages/oci-shim/bin/sdbridge.js')]
  }

  /** Makes an image for every engine of the host. */
  async addImage(name: string, { files, changes = [] }: Image): Promise<void> {
    await this.machine.run('bash', [
      inside('test/system/containers/payload/collect.sh'),
      ...[`${IMAGES}/${name}`, ...files],
    ])
    await this.importImage(name, name, changes)
  }

  /** Gives an image that is there another name, with changes. */
  async importImage(name: string, from: string, changes: string[]): Promise<void> {
    const options = changes.flatMap((change) => ['--change', change])
    const script = 'tar -C "$0" -c . | "$@" - "$NAME"'
    for (const engine of ['docker', 'podman'] as const) {
      if (!this.engines.includes(engine)) continue
      await this.machine.run(
        'sh',
        ['-c', script, `${IMAGES}/${from}`, engine, 'import', ...options],
        {
          env: { NAME: name },
          timeoutMs: 60_000,
        },
      )
    }
  }

  /** The `config.json` that a low-level runtime makes. */
  async bundleTemplate(engine: 'runc' | 'crun'): Promise<RuntimeConfig> {
    let template = this.#templates.get(engine)
    if (template === undefined) {
      template = this.#makeTemplate(engine)
      this.#templates.set(engine, template)
    }
    return JSON.parse(await template) as RuntimeConfig
  }

  /** The files of an image for one bundle alone, so that it shows what is left in them. */
  async copyOfImage(name: string, id: string): Promise<string> {
    const copy = `${BUNDLES}/${id}/rootfs`
    await this.machine.run('sh', [
      '-c',
      // Hard links: nobody writes to the files.
      'mkdir -p "$(dirname "$1")" && rm -rf "$1" && cp -al "$0" "$1"',
      ...[`${IMAGES}/${name}`, copy],
    ])
    return copy
  }

  async writeBundle(id: string, config: RuntimeConfig): Promise<string> {
    const bundle = `${BUNDLES}/${id}`
    await writeFile(this.machine.path(`${bundle}/config.json`), JSON.stringify(config))
    return bundle
  }

  async removeBundle(id: string): Promise<void> {
    await rm(this.machine.path(`${BUNDLES}/${id}`), { recursive: true, force: true })
  }

  /** Runs a container with each engine, which makes whatever engines make at the first time. */
  async runOnce(): Promise<void> {
    for (const engine of this.engines) {
      const [file = '', ...args] = await engineCommand(this, engine, 'first', { argv: ['true'] })
      await this.machine.run(file, args, { timeoutMs: 60_000 })
    }
    await this.removeBundle('first')
  }

  /** Stops the services that were written, and removes their files. */
  async clear(byForce?: 'by force'): Promise<void> {
    const units = [...this.services].flatMap(({ unit, sockets }) => [...sockets, unit])
    if (units.length > 0) {
      const allowFailure = byForce !== undefined
      await this.machine.run('systemctl', ['stop', ...units], { timeoutMs: 60_000, allowFailure })
      await this.machine.run('systemctl', ['reset-failed', ...units], { allowFailure: true })
    }
    for (const { unit, id, sockets } of this.services) {
      for (const name of [unit, `${unit}.d`, ...sockets]) {
        await rm(this.machine.path(`/run/systemd/system/${name}`), { force: true, recursive: true })
      }
      await this.removeBundle(id)
    }
    if (units.length > 0) await this.machine.systemctl('daemon-reload')
    this.services.clear()
    if (byForce !== undefined)
      await this.machine.run('bash', ['-c', REMOVE_ALL, 'bash', ...this.engines])
  }

  async #makeTemplate(engine: 'runc' | 'crun'): Promise<string> {
    const script = 'cd "$(mktemp -d)" && "$0" spec && cat config.json && rm -r "$PWD"'
    const { stdout } = await this.machine.run('sh', ['-c', script, engine])
    return stdout
  }

  async #addPayload(): Promise<void> {
    const { machine } = this
    // On the host, for there is no compiler inside.
    const scratch = await mkdtemp(join(tmpdir(), 'sdbridge-payload-'))
    try {
      const program = join(scratch, 'c-service')
      await execute('cc', ['-O1', '-o', program, join(PAYLOAD_SOURCES, 'c-service.c'), '-ldl'])
      await mkdir(machine.path('/payload'))
      await cp(program, machine.path('/payload/c-service'))
      for (const name of ['remote.py', 'stream.py'])
        await cp(join(PAYLOAD_SOURCES, name), machine.path(`/payload/${name}`))
    } finally {
      await rm(scratch, { recursive: true })
    }
    const { stdout } = await machine.run('sh', [
      '-c',
      'ls -d /usr/lib/*-linux-gnu/libsystemd.so.0 /lib/*-linux-gnu/libsystemd.so.0 2>/dev/null | head -n1',
    ])
    const files = [
      '/usr/bin/systemd-notify',
      stdout.trim(),
      '/payload/c-service',
      '/payload/remote.py',
      '/payload/stream.py',
    ]
    await this.addImage('payload', { files })
  }
}

const REMOVE_ALL = `
for engine; do
  case $engine in
    docker) docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes ;;
    podman) podman rm --all --force --time 0 ;;
    runc | crun) "$engine" list --quiet | xargs --no-run-if-empty --max-args=1 "$engine" delete --force ;;
  esac
done
true`
