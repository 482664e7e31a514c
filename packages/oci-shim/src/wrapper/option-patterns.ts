import type { OptionSyntax } from '../engines/option-syntax.js'
import { shellWord } from '../words/shell-words.js'

/** How one option is written, as patterns of a shell's `case`. */
export interface OptionPatterns {
  /** Alone: its value, if it takes one, is the next word. */
  readonly alone: readonly string[]
  /** With its value in the same word, behind the first `=`. */
  readonly equals: readonly string[]
  /** With its value in the same word, right behind these characters. */
  readonly prefixes: readonly string[]
}

/**
 * The ways to write an option, by the grammar of its program: those that engines use. getopt_long(3) knows more, abbreviated names and
 * several letters in one word.
 */
export function patternsOf(name: string, syntax: OptionSyntax): OptionPatterns {
  const letters = Object.keys(syntax.letters).filter((each) => syntax.letters[each] === name)
  if (syntax.grammar === 'argp') {
    const long = `--${name}`
    const short = letters.map((each) => shellWord(`-${each}`))
    return { alone: [long, ...short], equals: [`${long}=*`], prefixes: short }
  }
  // Go's own: one dash is as good as two.
  const all = [name, ...letters].flatMap((each) => [`--${each}`, `-${each}`])
  return { alone: all, equals: all.map((each) => `${each}=*`), prefixes: [] }
}
