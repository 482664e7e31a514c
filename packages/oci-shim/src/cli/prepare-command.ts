import { containerDirectoryOf, DEFAULT_CONTAINER_DIRECTORY } from './container-directory.js'
import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'
import { unitNameOf } from './unit-name.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge prepare --unit NAME [options] BUNDLE
       sdbridge prepare --undo [--dry-run] BUNDLE

Edits the config.json of a bundle of runc or crun, so that its container notifies for a unit whose
command sdbridge run does not know: a script, or a supervisor. What runc and crun are started with by
sdbridge run itself needs no such thing.

  ExecStartPre=/usr/bin/sdbridge prepare --unit %N /srv/web
  ExecStart=/usr/bin/sdbridge run -- /usr/local/bin/start-web

with 'exec env --unset=NOTIFY_SOCKET runc run --bundle /srv/web web' in start-web: runc and crun would
pass the variable's socket on in their own ways, which are not enough.

The container gets the directory of the unit's socket, and NOTIFY_SOCKET; WATCHDOG_USEC and FDSTORE
if the unit has WatchdogSec= and FileDescriptorStoreMax= when this is called. All else stays, and so
does what stood in their place: --undo brings it back. Done twice, it is done once. The file is
written as a whole or not at all.

Options:
  --unit NAME                the unit: web.service, or web
  --undo                     take it back
  --dry-run                  print what would be changed, and change nothing
  --container-directory DIR  where the socket's directory is in the container; default /run/notify
  --help                     show this text

Exit status: 0; 2 for a mistake on the command line; 125 if there is no such unit, or the bundle cannot
be edited.
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
  if ((values.unit === undefined) === (values.undo !== true))
    throw new UsageError('expected either --unit NAME or --undo')
  const options = {
    bundle,
    unit: values.unit === undefined ? undefined : unitNameOf(values.unit),
    containerDirectory: containerDirectoryOf(
      values['container-directory'] ?? DEFAULT_CONTAINER_DIRECTORY,
    ),
    isDryRun: values['dry-run'] === true,
  }
  const { prepareBundle } = await import('../injection/prepare-bundle.js')
  return await succeed(() => prepareBundle(options))
}

const OPTIONS = {
  unit: { type: 'string' },
  undo: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  'container-directory': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const
