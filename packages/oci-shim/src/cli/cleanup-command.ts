import type { CleanupOptions } from '../run/run-options.js'
import { checkedUnit } from './checked-unit.js'
import { parseWords } from './parse-words.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge cleanup [options]

Removes what sdbridge run has left behind if it was killed: the unit's container, and its private
directory. Made for the unit:

  ExecStopPost=/usr/bin/node /usr/bin/sdbridge cleanup

It does nothing where nothing was left. If the whole unit is killed (systemctl kill -s KILL), this is
killed with it; then the next start of the unit removes the container.

Options:
  --unit NAME  the unit; default: the one that has started this
  --help       show this text

Exit status: 0; 125 if a container is there and cannot be removed; 2 for a mistake on the command
line.
`

/** @throws UsageError */
export function parseCleanup(args: readonly string[]): CleanupOptions | 'help' {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) return 'help'
  const [word] = rest
  if (word !== undefined) throw new UsageError(`expected options only, found '${word}'`)
  return { unit: checkedUnit(values.unit) }
}

/** `sdbridge cleanup`. */
export async function main(args: readonly string[]): Promise<number> {
  const options = parseCleanup(args)
  if (options === 'help') {
    process.stdout.write(HELP)
    return 0
  }
  const { cleanup } = await import('../run/cleanup.js')
  return await cleanup(options)
}

const OPTIONS = {
  unit: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const
