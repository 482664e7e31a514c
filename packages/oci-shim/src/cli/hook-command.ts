import { containerDirectoryOf, DEFAULT_CONTAINER_DIRECTORY } from './container-directory.js'
import { absolutePath } from './install-words.js'
import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge hook install [--directory DIR] [--dry-run]
       sdbridge hook uninstall [--directory DIR] [--dry-run]
       sdbridge hook precreate [--container-directory DIR]

By a hook of podman's, containers notify for a unit whose command sdbridge run does not know. A
container says for which:

  ExecStart=/usr/bin/sdbridge run -- /usr/local/bin/start-web
  podman run --annotation io.sdbridge.unit=web …

'install' writes the hook's file; podman then calls 'precreate' for containers with that annotation,
which adds the directory of the unit's socket and NOTIFY_SOCKET; WATCHDOG_USEC and FDSTORE if the
unit has WatchdogSec= and FileDescriptorStoreMax=. 'precreate' reads a container's configuration from
standard input and writes it to standard output; one without the annotation as it came.

Options:
  --directory DIR            where podman looks for hooks, as its hooks_dir= says; default
                             /usr/share/containers/oci/hooks.d
  --dry-run                  print what would be changed, and change nothing
  --container-directory DIR  where the socket's directory is in the container; default /run/notify
  --help                     show this text

Exit status: 0; 2 for a mistake on the command line; 125 if it cannot be done.
`

/** `sdbridge hook`. */
export async function main(args: readonly string[]): Promise<number> {
  const [verb, ...others] = args
  const { values, rest } = parseWords(verb?.startsWith('-') === true ? args : others, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const [word] = rest
  if (word !== undefined) throw new UsageError(`expected options only, found '${word}'`)
  if (verb === 'precreate') {
    const directory = values['container-directory'] ?? DEFAULT_CONTAINER_DIRECTORY
    const { runPrecreate } = await import('../injection/run-precreate.js')
    return await runPrecreate(containerDirectoryOf(directory))
  }
  if (verb !== 'install' && verb !== 'uninstall')
    throw new UsageError(`expected install, uninstall or precreate, found ${quoted(verb)}`)
  const options = {
    directory: absolutePath('directory', values.directory) ?? '/usr/share/containers/oci/hooks.d',
    isDryRun: values['dry-run'] === true,
  }
  const { installHook, uninstallHook } = await import('../injection/install-hook.js')
  return await succeed(() => (verb === 'install' ? installHook(options) : uninstallHook(options)))
}

const OPTIONS = {
  directory: { type: 'string' },
  'dry-run': { type: 'boolean' },
  'container-directory': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

function quoted(word: string | undefined): string {
  return word === undefined || word.startsWith('-') ? 'none' : `'${word}'`
}
