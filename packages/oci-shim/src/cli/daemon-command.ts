import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge daemon
       sdbridge daemon install|uninstall [--dry-run]

Bridges all registered containers of this host in one process, in the name of their units' main
processes. It needs root, and is made to be a unit:

  sdbridge daemon install
  echo web.service >> /etc/sdbridge/units
  systemctl daemon-reload && systemctl enable --now sdbridge

Containers are registered by a hook of their runtime (sdbridge prepare --daemon, sdbridge hook), or by
sdbridge run --daemon. The sockets of all containers are in its descriptor store: it can be restarted
and upgraded at any time, and no message is lost.

/etc/sdbridge/units names the units that may be spoken for, one in a line; * and ? stand for any
characters. Behind a unit's name, 'annotation' allows a container that an engine starts to name it by
its annotation io.sdbridge.daemon; without it, only what the unit itself starts speaks for it. After a
change: systemctl reload sdbridge.

'install' writes sdbridge.service, sdbridge.socket and sdbridge-metrics.socket to /etc/systemd/system,
and the list where there is none; 'uninstall' removes the units.

Options:
  --dry-run  print what would be changed, and change nothing
  --help     show this text

Exit status: 0; 2 for a mistake on the command line; 125 if it cannot be done.
`

/** `sdbridge daemon`. */
export async function main(args: readonly string[]): Promise<number> {
  const [first, ...others] = args
  const verb = first?.startsWith('-') === false ? first : undefined
  const { values, rest } = parseWords(verb === undefined ? args : others, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const [word] = rest
  if (word !== undefined) throw new UsageError(`expected options only, found '${word}'`)
  const isDryRun = values['dry-run'] === true
  if (verb === undefined) {
    if (isDryRun) throw new UsageError('--dry-run goes with install or uninstall')
    const { runDaemon } = await import('../daemon/daemon.js')
    return await succeed(runDaemon)
  }
  if (verb !== 'install' && verb !== 'uninstall')
    throw new UsageError(`expected install, uninstall or nothing, found '${verb}'`)
  const { installDaemon, uninstallDaemon } = await import('../daemon/install-daemon.js')
  return await succeed(() => (verb === 'install' ? installDaemon : uninstallDaemon)({ isDryRun }))
}

const OPTIONS = {
  'dry-run': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const
