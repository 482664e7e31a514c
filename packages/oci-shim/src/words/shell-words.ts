/** A command as a shell would take it. */
export function shellWords(words: readonly string[]): string {
  return words.map((word) => shellWord(word)).join(' ')
}

/** One word of it. */
export function shellWord(word: string): string {
  return /^[\w%+,./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
