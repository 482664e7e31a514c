import { INSTALL_OPTIONS, installOptionsOf } from './install-words.js'
import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'

export const HELP = `Usage: sdbridge runtime uninstall [options]

Undoes what sdbridge runtime install has done: the engines' files are as they were, and the launcher
goes unless an engine knows it still. Not while containers of docker or podman have that runtime,
running or not, and not while it is docker's default.

Engines:
  --docker, --containerd, --podman, --crio  of these only; default: of all

Options:
  --force                   also while containers have that runtime, which can then be neither
                            stopped nor removed
  --name NAME               the runtime's name for engines; default sdbridge
  --directory DIR           where the launcher is; default /usr/local/lib/sdbridge
  --docker-config FILE      default /etc/docker/daemon.json
  --containerd-config FILE  default /etc/containerd/config.toml
  --podman-config FILE      default /etc/containers/containers.conf.d/NAME.conf
  --crio-config FILE        default /etc/crio/crio.conf.d/NAME.conf
  --dry-run                 print what would be changed, and change nothing
  --help                    show this text

Exit status: 0, also if there is nothing to remove; 2 for a mistake on the command line; 125 if it
cannot be done, and then nothing is changed.
`

/** `sdbridge runtime uninstall`. @throws UsageError */
export async function main(args: readonly string[]): Promise<number> {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const options = { ...installOptionsOf(values, rest), isForced: values.force === true }
  const { uninstallRuntime } = await import('../install/uninstall-runtime.js')
  return await succeed(() => uninstallRuntime(options))
}

const OPTIONS = { ...INSTALL_OPTIONS, force: { type: 'boolean' } } as const
