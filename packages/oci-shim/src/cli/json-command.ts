import { parseWords } from './parse-words.js'
import { succeed } from './succeed.js'
import { UsageError } from './usage-error.js'

/**
 * A subcommand that prints something, for a person or as JSON.
 *
 * @returns The exit code.
 */
export async function jsonCommand(
  args: readonly string[],
  help: string,
  print: (asJson: boolean) => Promise<void>,
): Promise<number> {
  const { values, rest } = parseWords(args, OPTIONS)
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const [word] = rest
  if (word !== undefined) throw new UsageError(`expected options only, found '${word}'`)
  return await succeed(() => print(values.json === true))
}

const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const
