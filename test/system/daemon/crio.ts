import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContainerHost } from '../containers/container-host.js'
import type { RuntimeConfig } from '../containers/container.js'

/** A file of oci-hooks(5). */
interface HookFile {
  hook: { path: string; args: string[]; env?: string[] }
  when: { annotations: Record<string, string> }
  stages: string[]
}

/** What CRI-O knows by itself; it does not start if it finds another one. */
const STAGES = new Set([
  ...['createContainer', 'createRuntime', 'prestart'],
  ...['poststart', 'poststop', 'startContainer'],
])

/** A low-level runtime, called as CRI-O calls it (internal/oci/runtime_oci.go): there is none to be had. */
export class Crio {
  readonly #host: ContainerHost
  readonly #runtime: 'runc' | 'crun'
  /** As long as CRI-O's own. */
  readonly id: string

  constructor(host: ContainerHost, runtime: 'runc' | 'crun', id: string) {
    this.#host = host
    this.#runtime = runtime
    this.id = id
  }

  /** What CRI-O adds to a configuration. */
  async edit(config: RuntimeConfig, hooksDirectory: string): Promise<void> {
    config.annotations = { ...config.annotations, 'io.container.manager': 'cri-o' }
    const directory = this.#host.machine.path(hooksDirectory)
    for (const name of (await readdir(directory)).toSorted()) {
      const text = await readFile(join(directory, name), 'utf8')
      const { hook, stages, when } = JSON.parse(text) as HookFile
      for (const stage of stages)
        if (!STAGES.has(stage)) throw new Error(`${name}: unknown stage ${stage}`)
      const matches = Object.entries(when.annotations).every(([key, value]) =>
        Object.entries(config.annotations ?? {}).some(
          (each) => new RegExp(key).test(each[0]) && new RegExp(value).test(each[1]),
        ),
      )
      // As Go writes it.
      const { env = [], ...rest } = hook
      const written = env.length === 0 ? rest : { ...rest, env }
      const hooks = (config.hooks ??= {})
      if (matches) for (const stage of stages) (hooks[stage] ??= []).push(written)
    }
  }

  /** By conmon where there is one, which is in a scope of its own; nearly without an environment. */
  async create(bundle: string): Promise<void> {
    const runtime = `/usr/bin/${this.#runtime}`
    const script = `mkdir -p ${this.#files}/exits && cd ${bundle} || exit
if command -v conmon >/dev/null; then
  env -i CRI_O_EXTERNAL=1 /usr/bin/conmon -b ${bundle} -c ${this.id} --exit-dir ${this.#files}/exits -l ${this.#files}/log --log-level info \
    -n web -P ${this.#files}/conmon-pidfile -p ${this.#files}/pidfile --persist-dir ${this.#files} -r ${runtime} \
    --runtime-arg ${this.#root} --socket-dir-path ${this.#files} --syslog -u ${this.id} </dev/null >/dev/null
  for attempt in $(seq 200); do [ ! -s ${this.#files}/pidfile ] || exit 0; sleep 0.1; done
  exit 1
fi
env -i CRI_O_EXTERNAL=1 $(command -v ${this.#runtime}) ${this.#root} create --bundle ${bundle} --pid-file ${this.#files}/pidfile ${this.id} \
  </dev/null >${this.#files}/log 2>&1`
    const scope = ['--quiet', '--scope', `--unit=crio-conmon-${this.id}.scope`, '/bin/sh', '-c']
    const { machine } = this.#host
    await machine.run('systemd-run', [...scope, script], { timeoutMs: 60_000 })
  }

  /** By CRI-O itself, which is a unit. */
  async start(): Promise<void> {
    await this.#call(`start ${this.id}`)
  }

  async delete(): Promise<void> {
    await this.#call(`delete --force ${this.id}`)
    await this.#host.machine.run('rm', ['-r', this.#files])
  }

  get #files(): string {
    return `/run/crio-${this.id}`
  }

  get #root(): string {
    return `--root=/run/${this.#runtime}`
  }

  async #call(words: string): Promise<void> {
    const { machine } = this.#host
    const { stdout } = await machine.run('sh', ['-c', `command -v ${this.#runtime}`])
    const command = `/usr/bin/env -i CRI_O_EXTERNAL=1 ${stdout.trim()} ${this.#root} ${words}`
    await machine.writeUnit('crio.service', `[Service]\nType=oneshot\nExecStart=${command}\n`)
    await machine.systemctl('start', 'crio.service')
    await rm(machine.path('/run/systemd/system/crio.service'))
    await machine.systemctl('daemon-reload')
  }
}
