import { parseArgs, type ParseArgsConfig } from 'node:util'
import { UsageError } from './usage-error.js'

type Options = NonNullable<ParseArgsConfig['options']>
type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ options: T; strict: true }>
>['values']

/** Options, and what follows them. */
export interface Words<T extends Options> {
  values: Parsed<T>
  /** All from the first word on that is no option, or that follows `--`: options of others are not read. */
  rest: string[]
}

/**
 * Reads the options in front.
 *
 * @throws UsageError
 */
export function parseWords<T extends Options>(args: readonly string[], options: T): Words<T> {
  const end = endOfOptions(args, options)
  const rest = args.slice(args[end] === '--' ? end + 1 : end)
  try {
    const config = {
      args: args.slice(0, end),
      options,
      strict: true,
      allowPositionals: false,
    } as const
    return { values: parseArgs<typeof config>(config).values as Parsed<T>, rest }
  } catch (error) {
    throw new UsageError(firstSentence(error))
  }
}

function endOfOptions(args: readonly string[], options: Options): number {
  let index = 0
  while (index < args.length) {
    const word = args[index] ?? ''
    if (word === '--' || !word.startsWith('-') || word === '-') break
    index += takesNext(word, options) ? 2 : 1
  }
  return Math.min(index, args.length)
}

function takesNext(word: string, options: Options): boolean {
  return word.startsWith('--') && options[word.slice(2)]?.type === 'string'
}

// Node goes on to tell how a positional argument would be written.
function firstSentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text
    .replace(/\n.*$/s, '')
    .replace(/\. To specify.*$/, '')
    .replace(/\.$/, '')
}
