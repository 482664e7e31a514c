import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge ps [--json]

Lists the containers that the daemon bridges: their unit, engine and state, what they have said last,
for how long they have been ready, when they last pinged the watchdog, and how many of their messages
have gone to the service manager and how many have not, with the reasons.

Options:
  --json  one line of JSON for each, with times in milliseconds since 1970
  --help  show this text

Exit status: 0; 2 for a mistake on the command line; 125 if the daemon does not answer.
`

/** `sdbridge ps`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const [word] = rest
  if (word !== undefined) throw new UsageError(`expected options only, found '${word}'`)
  const { printContainers } = await import('../control/print-containers.js')
  return await succeed(() => printContainers(values.json === true))
}

const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const
