import { parseWords } from './parse-words.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge runtime install [options]
       sdbridge runtime uninstall [options]
       sdbridge runtime --low-level FILE -- [ARGUMENT...]

Stands in for a low-level OCI runtime, and becomes it: with the sockets and stored descriptors of its
unit for a container that asks for them, which sdbridge run has it do; as if it were not there for
every other container and every other call. Engines start it by a launcher, which 'install' writes
and makes known to them, and 'uninstall' takes away: see their --help.

Options:
  --low-level FILE  the runtime to become: the absolute path of runc, crun or one like them
  --help            show this text

Exit status: that of the low-level runtime; 1, with a message where the engine looks for it (--log),
if a container asks for descriptors and cannot have them.
`

/** `sdbridge runtime`. */
export async function main(args: readonly string[]): Promise<number> {
  const [first, ...others] = args
  if (first === 'install') return await (await import('./runtime-install.js')).main(others)
  if (first === 'uninstall') return await (await import('./runtime-uninstall.js')).main(others)
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const lowLevel = values['low-level']
  if (lowLevel === undefined)
    throw new UsageError('expected install, uninstall or --low-level FILE')
  if (!lowLevel.startsWith('/'))
    throw new UsageError('--low-level must be the absolute path of a low-level runtime')
  const { becomeRuntime } = await import('../wrapper/become-runtime.js')
  return await becomeRuntime(lowLevel, rest)
}

const OPTIONS = {
  'low-level': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const
