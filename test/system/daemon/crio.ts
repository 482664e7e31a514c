import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContainerHost } from '../containers/container-host.js'
import type { RuntimeConfig } from '../containers/container.js'
import type { Outcome } from '../containers/payload.js'

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

  /** By conmon where there is one, which is in a scope of its own; with an empty environment. */
  async create(bundle: string): Promise<Outcome> {
    const files = `/run/crio-${this.id}`
    const runtime = `/usr/bin/${this.#runtime}`
    const script = `mkdir -p ${files}
if command -v conmon >/dev/null; then
  exec env -i /usr/bin/conmon -b ${bundle} -c ${this.id} -u ${this.id} -n web --exit-dir ${files} -l k8s-file:${files}/log \\
    -r ${runtime} -p ${files}/pid -P ${files}/conmon-pid --persist-dir ${files} --full-attach --sync
fi
exec env -i $(command -v ${this.#runtime}) create --bundle ${bundle} --pid-file ${files}/pid ${this.id}`
    return await this.#run(
      ['systemd-run', '--quiet', '--scope', `--unit=crio-conmon-${this.id}.scope`],
      script,
    )
  }

  /** By CRI-O itself, which is a unit. */
  async start(): Promise<void> {
    await this.#call(`start ${this.id}`)
  }

  async delete(): Promise<void> {
    await this.#call(`delete --force ${this.id}`)
    await this.#host.machine.run('rm', ['-r', `/run/crio-${this.id}`])
  }

  async #call(words: string): Promise<void> {
    const unit = ['systemd-run', '--quiet', '--wait', '--collect', '--unit=crio.service']
    const outcome = await this.#run(unit, `exec env -i $(command -v ${this.#runtime}) ${words}`)
    if (outcome.code !== 0) throw new Error(`${words}: ${outcome.stderr}`)
  }

  async #run([file = '', ...prefix]: string[], script: string): Promise<Outcome> {
    const { exitCode, stderr, stdout } = await this.#host.machine.run(
      file,
      [...prefix, '/bin/sh', '-c', script],
      { allowFailure: true, timeoutMs: 60_000 },
    )
    return { code: exitCode ?? -1, stderr, stdout }
  }
}
