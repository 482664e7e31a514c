import { ENGINES, type UninstallOptions } from '../install/install-options.js'
import { absolutePath } from './absolute-path.js'
import { UsageError } from './usage-error.js'

/** What `install` and `uninstall` have in common. */
export const INSTALL_OPTIONS = {
  docker: { type: 'boolean' },
  containerd: { type: 'boolean' },
  podman: { type: 'boolean' },
  crio: { type: 'boolean' },
  name: { type: 'string' },
  directory: { type: 'string' },
  'docker-config': { type: 'string' },
  'containerd-config': { type: 'string' },
  'podman-config': { type: 'string' },
  'crio-config': { type: 'string' },
  'dry-run': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Values = {
  [Name in keyof typeof INSTALL_OPTIONS]?: string | boolean
}

/** @throws UsageError */
export function installOptionsOf(
  values: Values,
  [word]: readonly string[],
): Omit<UninstallOptions, 'isForced'> {
  if (word !== undefined) throw new UsageError(`expected options only, found '${word}'`)
  const name = nameOf(values.name ?? 'sdbridge')
  return {
    engines: ENGINES.filter((engine) => values[engine] === true),
    name,
    directory: absolutePath('directory', values.directory) ?? '/usr/local/lib/sdbridge',
    files: {
      docker: fileOf(values, 'docker') ?? '/etc/docker/daemon.json',
      containerd: fileOf(values, 'containerd') ?? '/etc/containerd/config.toml',
      podman: fileOf(values, 'podman') ?? `/etc/containers/containers.conf.d/${name}.conf`,
      crio: fileOf(values, 'crio') ?? `/etc/crio/crio.conf.d/${name}.conf`,
    },
    isDryRun: values['dry-run'] === true,
  }
}

function fileOf(values: Values, engine: (typeof ENGINES)[number]): string | undefined {
  return absolutePath(`${engine}-config`, values[`${engine}-config`])
}

// docker keeps runc for itself, and podman's own would be replaced. It is a key of TOML, and a file's name.
function nameOf(value: string | boolean): string {
  const name = String(value)
  if (/^[a-z\d][\w-]{0,63}$/i.test(name) && !['runc', 'crun'].includes(name)) return name
  throw new UsageError(
    `--name must be letters, digits, - and _, and neither runc nor crun, not '${name}'`,
  )
}
