import { containerDirectoryOf, DEFAULT_CONTAINER_DIRECTORY } from './container-directory.js'
import { absolutePath } from './absolute-path.js'
import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'
import { unitNameOf } from './unit-name.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge cdi [options] UNIT

Writes a file of the Container Device Interface, by which containers notify for a unit whose command
sdbridge run does not know: docker compose, or a script. UNIT is web.service, or web.

  ExecStartPre=/usr/bin/sdbridge cdi %N
  ExecStart=/usr/bin/sdbridge run -- docker compose up

  docker run --device sdbridge.io/unit=web …
  podman run --sdnotify=ignore --device sdbridge.io/unit=web …

The container gets the directory of the unit's socket, and NOTIFY_SOCKET; WATCHDOG_USEC and FDSTORE
if the unit has WatchdogSec= and FileDescriptorStoreMax= when this is called.

Options:
  --output FILE              where it is written; default /var/run/cdi/sdbridge-UNIT.json
  --print                    print it, and write nothing
  --container-directory DIR  where the socket's directory is in the container; default /run/notify
  --help                     show this text

Exit status: 0; 2 for a mistake on the command line; 125 if there is no such unit, or the file cannot
be written.
`

/** `sdbridge cdi`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const [unit, word] = rest
  if (unit === undefined) throw new UsageError('expected the name of a unit')
  if (word !== undefined) throw new UsageError(`expected one unit, found '${word}' too`)
  const options = {
    unit: unitNameOf(unit),
    containerDirectory: containerDirectoryOf(
      values['container-directory'] ?? DEFAULT_CONTAINER_DIRECTORY,
    ),
    output: absolutePath('output', values.output),
    print: values.print === true,
  }
  const { writeCdi } = await import('../injection/write-cdi.js')
  return await succeed(() => writeCdi(options))
}

const OPTIONS = {
  output: { type: 'string' },
  print: { type: 'boolean' },
  'container-directory': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const
