import type { OptionSyntax } from './option-syntax.js'

/** An option as it stands on a command line. */
export interface EngineOption {
  /** Its long name, without dashes; of an unknown short one, its letter with a dash. */
  readonly name: string
  /** Its value; `undefined` for a switch that has none. */
  readonly value: string | undefined
  /** Where it is, for one that edits it: the word that has the value, and where in there that begins, or would begin. */
  readonly word: number
  readonly valueOffset: number
  /** Whether it is a letter in a word that may have more of them. */
  readonly isLetter: boolean
}

export interface ParsedOptions {
  readonly options: readonly EngineOption[]
  readonly operands: readonly string[]
  /** The options that the tables do not know: what follows them has been guessed at. */
  readonly unknown: readonly string[]
}

/**
 * Tells options, their values and operands apart, as the program itself does.
 *
 * An option that the tables do not have is one of a version to come. Most options take a value, so such a one is taken to
 * have the next word as its value, unless that begins with a dash.
 */
export function parseOptions(words: readonly string[], syntax: OptionSyntax): ParsedOptions {
  const options: EngineOption[] = []
  const operands: string[] = []
  const unknown: string[] = []
  let index = 0

  while (index < words.length) {
    const word = words[index] ?? ''
    if (word === '--') {
      operands.push(...words.slice(index + 1))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      if (!syntax.interspersed) {
        operands.push(...words.slice(index))
        break
      }
      operands.push(word)
      index += 1
      continue
    }
    const isLong = word.startsWith('--') || syntax.grammar === 'go-flag'
    index = isLong ? takeLong(word, index) : takeLetters(word, index)
  }
  return { options, operands, unknown }

  function takeLong(word: string, at: number): number {
    const dashes = word.startsWith('--') ? 2 : 1
    const equals = word.indexOf('=')
    const written = word.slice(dashes, equals < 0 ? undefined : equals)
    const name = longName(written, syntax)
    if (equals >= 0) {
      if (name === undefined) unknown.push(`--${written}`)
      options.push(valued(name ?? written, word.slice(equals + 1), at, equals + 1))
      return at + 1
    }
    if (name !== undefined && syntax.switches.has(name)) {
      options.push(bare(name, at, word))
      return at + 1
    }
    if (name === undefined) {
      unknown.push(`--${written}`)
      return guess(written, at)
    }
    return takeNext(name, at)
  }

  function takeLetters(word: string, at: number): number {
    for (let position = 1; position < word.length; position += 1) {
      const letter = word[position] ?? ''
      const name = syntax.letters[letter]
      const rest = word.slice(position + 1)
      // pflag: `-d=false`, and a value may be set off by a sign that does not belong to it. In argp it does.
      const offset =
        syntax.grammar === 'pflag' && rest.startsWith('=') ? position + 2 : position + 1
      const isSwitch = name !== undefined && syntax.switches.has(name)
      if (isSwitch && offset === position + 1) {
        options.push({
          name,
          value: undefined,
          word: at,
          valueOffset: position + 1,
          isLetter: true,
        })
        continue
      }
      if (name === undefined) unknown.push(`-${letter}`)
      if (rest !== '' && offset < word.length) {
        options.push(valued(name ?? `-${letter}`, word.slice(offset), at, offset))
        return at + 1
      }
      if (offset === position + 2) {
        options.push(valued(name ?? `-${letter}`, '', at, offset))
        return at + 1
      }
      return name === undefined ? guess(`-${letter}`, at) : takeNext(name, at)
    }
    return at + 1
  }

  // Whatever the next word is: `--name --rm` names a container `--rm`.
  function takeNext(name: string, at: number): number {
    const value = words[at + 1]
    if (value === undefined) {
      options.push(bare(name, at, words[at] ?? ''))
      return at + 1
    }
    options.push(valued(name, value, at + 1, 0))
    return at + 2
  }

  function guess(name: string, at: number): number {
    const next = words[at + 1]
    if (next !== undefined && !next.startsWith('-')) return takeNext(name, at)
    options.push(bare(name, at, words[at] ?? ''))
    return at + 1
  }
}

/** The option that a name on the command line means; `undefined` if there is none such. */
function longName(written: string, syntax: OptionSyntax): string | undefined {
  if (syntax.grammar === 'go-flag' && written.length === 1) return syntax.letters[written]
  const name = syntax.synonyms[written] ?? written
  if (syntax.values.has(name) || syntax.switches.has(name)) return name
  if (syntax.grammar !== 'argp') return undefined
  const candidates = [...syntax.values, ...syntax.switches].filter((each) =>
    each.startsWith(written),
  )
  return candidates.length === 1 ? candidates[0] : undefined
}

function valued(name: string, value: string, word: number, valueOffset: number): EngineOption {
  return { name, value, word, valueOffset, isLetter: false }
}

function bare(name: string, word: number, text: string): EngineOption {
  return { name, value: undefined, word, valueOffset: text.length, isLetter: false }
}
