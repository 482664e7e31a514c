import { absolutePath } from './absolute-path.js'
import { containerDirectoryOf, DEFAULT_CONTAINER_DIRECTORY } from './container-directory.js'
import { failurePolicyOf } from './failure-policy.js'
import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge hook install [--directory DIR] [--on-failure WHAT] [--no-precreate] [--dry-run]
       sdbridge hook uninstall [--directory DIR] [--dry-run]
       sdbridge hook createRuntime [--on-failure WHAT]
       sdbridge hook poststop
       sdbridge hook precreate [--container-directory DIR]

By hooks of their runtime, containers notify for a unit whose command sdbridge run does not know, or
without any sdbridge run. A container of podman or CRI-O says for which unit:

  podman run --annotation io.sdbridge.daemon=web …   the daemon bridges it: see sdbridge daemon
  podman run --annotation io.sdbridge.unit=web …     the unit's ExecStart= is sdbridge run

'install' writes the hooks' files, which podman and CRI-O read; for runc and crun, there is sdbridge
prepare --daemon. The engine, or its runtime, then calls for containers with these annotations:

  createRuntime  before it starts: has the daemon bridge it
  poststop       when it has ended: tells the daemon
  precreate      podman alone: adds the directory of the socket and NOTIFY_SOCKET; WATCHDOG_USEC and
                 FDSTORE if the unit has WatchdogSec= and FileDescriptorStoreMax=

createRuntime and poststop read the container's state from standard input. A container that has none
of the daemon's directories mounted is none of their business. With CRI-O, a pod has a hostPath volume
with /var/lib/sdbridge-daemon/notify/NAME, of type DirectoryOrCreate, at /run/notify, and in its env
NOTIFY_SOCKET=/run/notify/notify.sock. 'precreate' reads a container's configuration from standard
input and writes it to standard output; one without the annotations as it came.

Options:
  --directory DIR            where the engine looks for hooks, as its hooks_dir= says; default
                             /usr/share/containers/oci/hooks.d
  --on-failure WHAT          of createRuntime, if the container cannot be bridged: fail (default), and
                             it does not start; or ignore, and it is told in the system's log
  --no-precreate             no file for precreate, which a CRI-O that finds it does not start with
  --dry-run                  print what would be changed, and change nothing
  --container-directory DIR  where the socket's directory is in the container; default /run/notify
  --help                     show this text

Exit status: 0; 2 for a mistake on the command line; 125 if it cannot be done. poststop always has 0,
so that a container can be removed.
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
  const onFailure = failurePolicyOf(values['on-failure'] ?? 'fail')
  if (verb === 'createRuntime' || verb === 'poststop') {
    const { runLifecycleHook } = await import('../hooks/run-lifecycle-hook.js')
    return await runLifecycleHook(verb, onFailure)
  }
  if (verb === 'precreate') {
    const directory = values['container-directory'] ?? DEFAULT_CONTAINER_DIRECTORY
    const { runPrecreate } = await import('../injection/run-precreate.js')
    return await runPrecreate(containerDirectoryOf(directory))
  }
  if (verb !== 'install' && verb !== 'uninstall')
    throw new UsageError(
      `expected install, uninstall, createRuntime, poststop or precreate, found ${quoted(verb)}`,
    )
  const { HOOK_DIRECTORY, installHook, uninstallHook } =
    await import('../injection/install-hook.js')
  const options = {
    directory: absolutePath('directory', values.directory) ?? HOOK_DIRECTORY,
    onFailure,
    hasPrecreate: values['no-precreate'] !== true,
    isDryRun: values['dry-run'] === true,
  }
  return await succeed(() => (verb === 'install' ? installHook(options) : uninstallHook(options)))
}

const OPTIONS = {
  directory: { type: 'string' },
  'on-failure': { type: 'string' },
  'no-precreate': { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  'container-directory': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

function quoted(word: string | undefined): string {
  return word === undefined || word.startsWith('-') ? 'none' : `'${word}'`
}
