import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge events [--json]

Follows what happens to the containers that the daemon bridges, until it is interrupted: registered,
ready, reloading, stopping, status, dropped, unregistered, unit-ended; and whom the daemon has refused.

Options:
  --json  one line of JSON for each, with the time in milliseconds since 1970
  --help  show this text

Exit status: 0 when the daemon has ended; 2 for a mistake on the command line; 125 if the daemon does
not answer, or this has read too slowly.
`

/** `sdbridge events`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const [word] = rest
  if (word !== undefined) throw new UsageError(`expected options only, found '${word}'`)
  const { printEvents } = await import('../control/print-events.js')
  return await succeed(() => printEvents(values.json === true))
}

const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const
