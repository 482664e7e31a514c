import { readFile } from 'node:fs/promises'
import { parseWords } from './parse-words.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge version

Prints the version of sdbridge.
`

/** `sdbridge version`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, rest } = parseWords(args, { help: { type: 'boolean', short: 'h' } })
  const [word] = rest
  if (word !== undefined) throw new UsageError(`expected nothing more, found '${word}'`)
  if (values.help === true) process.stdout.write(HELP)
  else process.stdout.write(`sdbridge ${await packageVersion()}\n`)
  return 0
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
