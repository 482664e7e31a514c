import { isSubcommand, loadSubcommand, type Subcommand } from './subcommands.js'
import { parseWords } from './parse-words.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge SUBCOMMAND [options]

Makes a container of any image, unmodified, a first-class unit of systemd: readiness, status,
watchdog, reloads, sockets and stored descriptors.

  run      start a container as the main process of a unit, and pass on what it notifies
  cleanup  remove what a killed run has left behind; for ExecStopPost=
  unit     print a unit file for an image or a bundle, ready to install
  doctor   say what is wrong with a unit, its engine or this host, and what to do
  runtime  hand the unit's sockets to docker's containers: install, uninstall
  cdi      write a file by which containers of another command notify for a unit
  hook     the same by hooks of podman's and CRI-O's: install, uninstall
  prepare  the same for a bundle of runc or crun
  daemon   bridge all registered containers of this host in one process: install, uninstall
  ps       list the containers that the daemon bridges
  events   follow what happens to them
  version  print the version
  help     show this text, or that of a subcommand

'sdbridge SUBCOMMAND --help' tells all of one. With DEBUG=sdbridge:* in the environment, what
happens is told on standard error.
`

/** `sdbridge help [SUBCOMMAND]`. */
export async function main(args: readonly string[]): Promise<number> {
  const { rest } = parseWords(args, { help: { type: 'boolean', short: 'h' } })
  const [name = 'help', extra] = rest
  if (extra !== undefined) throw new UsageError(`expected one subcommand, found '${extra}' too`)
  if (!isSubcommand(name)) throw new UsageError(`there is no subcommand '${name}'`)
  process.stdout.write(await helpOf(name))
  return 0
}

async function helpOf(name: Subcommand): Promise<string> {
  return name === 'help' ? HELP : (await loadSubcommand(name)).HELP
}
