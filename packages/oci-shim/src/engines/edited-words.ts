import type { EngineCommand } from './engine-command.js'
import type { EngineOption } from './parse-options.js'

/** The words behind a command's verb, to be edited: what is added goes in front, and nothing but options is changed. */
export class EditedWords {
  readonly #added: string[] = []
  readonly #words: (string | undefined)[]

  constructor(command: EngineCommand) {
    this.#words = [...command.words]
  }

  /** Right behind the verb there is no question of what an unknown option may have as its value. */
  add(...words: string[]): void {
    this.#added.push(...words)
  }

  /** Gives an option another value where it stands, in whatever form it has been written. */
  replace(option: EngineOption, value: string): void {
    const word = this.#words[option.word] ?? ''
    // A switch `--name` has no value yet.
    const before = option.value === undefined ? `${word}=` : word.slice(0, option.valueOffset)
    this.#words[option.word] = before + value
  }

  /** Takes a switch away, be it one of several letters in a word. */
  remove(option: EngineOption): void {
    const word = this.#words[option.word] ?? ''
    const rest = option.isLetter
      ? word.slice(0, option.valueOffset - 1) + word.slice(option.valueOffset)
      : '-'
    this.#words[option.word] = rest === '-' ? undefined : rest
  }

  get all(): readonly string[] {
    return [...this.#added, ...this.#words.filter((word) => word !== undefined)]
  }
}
