import { absolutePath } from './absolute-path.js'
import { INSTALL_OPTIONS, installOptionsOf } from './install-words.js'
import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'

export const HELP = `Usage: sdbridge runtime install [options]

Writes a launcher, which engines start in place of runc or crun, and makes it known to them as a
runtime of its own, beside the others. It can be repeated, and is once Node or sdbridge have moved.

  sdbridge runtime install --docker && systemctl reload docker

Without an engine the launcher is written, and nothing else: 'ctr run --runc-binary', 'nerdctl run
--runtime' and 'podman --runtime' take it by its path, /usr/local/lib/sdbridge/runc.

Engines:
  --docker      in daemon.json, of which all else stays as it is written
  --containerd  for Kubernetes, in config.toml or in a directory that it imports
  --podman      in a file of our own in containers.conf.d
  --crio        in a file of our own in crio.conf.d

Options:
  --name NAME               the runtime's name for engines; default sdbridge
  --low-level FILE          what the launcher becomes; default: runc for docker and containerd, crun
                            for podman and CRI-O, or else the other one
  --directory DIR           where the launcher is; default /usr/local/lib/sdbridge
  --docker-config FILE      default /etc/docker/daemon.json
  --containerd-config FILE  default /etc/containerd/config.toml
  --podman-config FILE      default /etc/containers/containers.conf.d/NAME.conf
  --crio-config FILE        default /etc/crio/crio.conf.d/NAME.conf
  --dry-run                 print what would be changed, and change nothing
  --help                    show this text

Exit status: 0; 2 for a mistake on the command line; 125 if it cannot be done, and then nothing is
changed; 126, 127 if runc or crun cannot be executed or is not found.
`

/** `sdbridge runtime install`. @throws UsageError */
export async function main(args: readonly string[]): Promise<number> {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const options = {
    ...installOptionsOf(values, rest),
    lowLevel: absolutePath('low-level', values['low-level']),
  }
  const { installRuntime } = await import('../install/install-runtime.js')
  return await succeed(() => installRuntime(options))
}

const OPTIONS = { ...INSTALL_OPTIONS, 'low-level': { type: 'string' } } as const
