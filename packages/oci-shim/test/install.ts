import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'

const SCRIPT = fileURLToPath(new URL('../bin/sdbridge.js', import.meta.url))

/** A host of its own for `sdbridge runtime install` and `uninstall`: files in a temporary directory, and engines that are there to be asked. */
export class InstallHost {
  readonly directory = temporaryDirectory()
  readonly launchers = join(this.directory, 'lib')
  readonly lowLevel = this.#program('low/runc', 'exit 0')

  constructor() {
    this.engine('docker', [])
    this.engine('podman', [])
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  write(name: string, text: string): string {
    mkdirSync(dirname(this.path(name)), { recursive: true })
    writeFileSync(this.path(name), text)
    return this.path(name)
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8')
  }

  /** An engine's client that knows these containers: `/web sdbridge`. */
  engine(name: 'docker' | 'podman', containers: string[], defaultRuntime = 'runc'): void {
    const answers = [
      `ps) ${containers.map((_, id) => `echo ${id}`).join('; ') || 'true'} ;;`,
      `inspect) printf '%s\\n' ${containers.map((each) => `'${each}'`).join(' ')} ;;`,
      `info) echo ${defaultRuntime} ;;`,
    ]
    this.#program(`bin/${name}`, `case $1 in\n${answers.join('\n')}\nesac`)
  }

  /** A client that cannot reach its daemon. */
  brokenEngine(name: 'docker' | 'podman'): void {
    this.#program(`bin/${name}`, 'echo "no daemon here" >&2\nexit 1')
  }

  runtime(
    verb: 'install' | 'uninstall',
    ...options: string[]
  ): { stdout: string; stderr: string; status: number | null } {
    const files = ['docker', 'containerd', 'podman', 'crio'].flatMap((engine) => [
      `--${engine}-config`,
      this.path(FILES[engine as keyof typeof FILES]),
    ])
    const lowLevel = verb === 'install' && !options.includes('--low-level')
    const words = [
      ...['runtime', verb, '--directory', this.launchers, ...files],
      ...(lowLevel ? ['--low-level', this.lowLevel] : []),
      ...options,
    ]
    const { stdout, stderr, status } = spawnSync(process.execPath, [SCRIPT, ...words], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${this.path('bin')}:/usr/bin:/bin` },
    })
    return { stdout, stderr, status }
  }

  #program(name: string, body: string): string {
    const file = this.write(name, `#!/bin/sh\n${body}\n`)
    chmodSync(file, 0o755)
    return file
  }
}

/** Where an {@link InstallHost} has the engines' configurations. */
export const FILES = {
  docker: 'docker/daemon.json',
  containerd: 'containerd/config.toml',
  podman: 'containers.conf.d/sdbridge.conf',
  crio: 'crio.conf.d/sdbridge.conf',
} as const
