/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  [key: string]: Json | undefined
}

/** JSON whose numbers come out as they went in, also those that a JavaScript number cannot hold. */
export interface ExactJson {
  readonly value: Json
  /** The text of a value that has been made from {@link value}. */
  stringify(value: Json): string
}

/**
 * Parses JSON for an edit. A limit such as 18446744073709551615, which is usual in a `config.json`, would come back from
 * `JSON.parse` as another number: here such numbers are strings in between, with a mark that no string of the text has.
 *
 * @throws SyntaxError
 */
export function parseExactJson(text: string): ExactJson {
  let mark: string | undefined
  const marked = text.replace(TOKENS, (token) => {
    const isKept = token.startsWith('"') || String(Number(token)) === token
    return isKept ? token : `"${(mark ??= newMark())}${token}"`
  })
  return {
    value: JSON.parse(marked) as Json,
    stringify: (value) => {
      const written = JSON.stringify(value, null, '\t')
      if (mark === undefined) return written
      return written.replaceAll(new RegExp(`"${mark}([-+.0-9eE]+)"`, 'g'), '$1')
    },
  }
}

// Loaded here: most files need none, and node:crypto would cost each bridge half a mebibyte.
function newMark(): string {
  const { randomBytes } = process.getBuiltinModule('node:crypto')
  return `number-${randomBytes(16).toString('hex')}:`
}

// A string, or what begins as a number does and JSON.parse would take; a string that does not end is left to JSON.parse.
const TOKENS = /"(?:[^"\\]|\\.)*"?|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/gs
