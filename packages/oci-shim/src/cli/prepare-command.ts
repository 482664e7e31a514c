import { isContainerName } from '../control/container-name.js'
import type { PrepareOptions } from '../injection/prepare-bundle.js'
import { containerDirectoryOf, DEFAULT_CONTAINER_DIRECTORY } from './container-directory.js'
import { failurePolicyOf } from './failure-policy.js'
import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'
import { unitNameOf } from './unit-name.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge prepare --unit NAME [options] BUNDLE
       sdbridge prepare --daemon [--unit NAME] [--name NAME] [--on-failure WHAT] [options] BUNDLE
       sdbridge prepare --undo [--dry-run] BUNDLE

Edits the config.json of a bundle of runc or crun, so that its container notifies for a unit whose
command sdbridge run does not know: a script, or a supervisor. What runc and crun are started with by
sdbridge run itself needs no such thing.

  ExecStartPre=/usr/bin/sdbridge prepare --unit %N /srv/web
  ExecStart=/usr/bin/sdbridge run -- /usr/local/bin/start-web

with 'exec env --unset=NOTIFY_SOCKET runc run --bundle /srv/web web' in start-web: runc and crun would
pass the variable's socket on in their own ways, which are not enough.

With --daemon there is no sdbridge run: the daemon bridges the container (see sdbridge daemon), and
hears of it by hooks.

  UnsetEnvironment=NOTIFY_SOCKET
  ExecStartPre=/usr/bin/sdbridge prepare --daemon --unit %N /srv/web
  ExecStart=/usr/bin/runc run --bundle /srv/web web

The container gets the directory of the unit's socket, and NOTIFY_SOCKET; WATCHDOG_USEC and FDSTORE
if the unit has WatchdogSec= and FileDescriptorStoreMax= when this is called; with --daemon, the
annotation io.sdbridge.daemon and hooks, behind those that are there. All else stays, and so does what
stood in their place: --undo brings it back. Done twice, it is done once. The file is
written as a whole or not at all.

Options:
  --unit NAME                the unit: web.service, or web; with --daemon, it need not be given where
                             the unit itself starts runc or crun, which then sets neither
                             WATCHDOG_USEC nor FDSTORE
  --daemon                   have the daemon bridge it
  --name NAME                what the daemon calls it, each container by another name; default: as its
                             unit
  --on-failure WHAT          if the daemon cannot bridge it: fail (default), and it does not start; or
                             ignore, and it is told in the system's log
  --undo                     take it back
  --dry-run                  print what would be changed, and change nothing
  --container-directory DIR  where the socket's directory is in the container; default /run/notify
  --help                     show this text

Exit status: 0; 2 for a mistake on the command line; 125 if there is no such unit, or the bundle
cannot be edited.
`

/** `sdbridge prepare`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const [bundle, word] = rest
  if (bundle === undefined) throw new UsageError('expected the directory of a bundle')
  if (word !== undefined) throw new UsageError(`expected one bundle, found '${word}' too`)
  const options = {
    bundle,
    target: targetOf(values),
    containerDirectory: containerDirectoryOf(
      values['container-directory'] ?? DEFAULT_CONTAINER_DIRECTORY,
    ),
    isDryRun: values['dry-run'] === true,
  }
  const { prepareBundle } = await import('../injection/prepare-bundle.js')
  return await succeed(() => prepareBundle(options))
}

function targetOf(values: Values): PrepareOptions['target'] {
  const { daemon = false, name, undo = false, unit: given } = values
  const unit = given === undefined ? undefined : unitNameOf(given)
  if (daemon && !undo) {
    if (unit === undefined && name === undefined)
      throw new UsageError('--daemon expects --unit NAME or --name NAME')
    if (name !== undefined && !isContainerName(name))
      throw new UsageError(
        `--name must be of at most 61 letters, digits and _.-, and not begin with one of .-, not '${name}'`,
      )
    return { unit, name, onFailure: failurePolicyOf(values['on-failure'] ?? 'fail') }
  }
  if ((unit === undefined) !== undo || daemon)
    throw new UsageError('expected either --unit NAME or --undo')
  const alone = (['name', 'on-failure'] as const).find((each) => values[each] !== undefined)
  if (alone !== undefined) throw new UsageError(`--${alone} goes with --daemon`)
  return unit
}

interface Values {
  daemon?: boolean
  name?: string
  'on-failure'?: string
  undo?: boolean
  unit?: string
}

const OPTIONS = {
  unit: { type: 'string' },
  daemon: { type: 'boolean' },
  name: { type: 'string' },
  'on-failure': { type: 'string' },
  undo: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  'container-directory': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const
