import { isUtf8 } from 'node:buffer'

/**
 * Makes free text fit for STATUS=: whatever it holds, it stays one line, stays in its own
 * assignment, and arrives.
 *
 * - A run of CR and LF becomes one space: both separate assignments on the wire, so a status of
 *   `done\nMAINPID=1` would otherwise send two. At either end it is dropped.
 * - A backslash becomes U+29F5, which looks like one. Managers since 247 take a backslash off and
 *   the next byte literally; doubled it is right there, but shows twice on older ones, and is
 *   taken off once more by every manager or container manager that passes the text on.
 * - Tab, VT and FF become a space; other control characters (escape sequences would reach the
 *   operator's terminal, NUL would have the whole message dropped), lone surrogates and Unicode's
 *   noncharacters become U+FFFD. The manager clears a status that is not what it calls UTF-8, and
 *   for it a noncharacter is not.
 */
export function cleanStatus(text: string): string {
  return withoutControls(text).replaceAll('\\', '\u29f5')
}

/** `cleanStatus()`, but for the backslashes: for whoever escapes them. */
export function withoutControls(text: string): string {
  return text.replace(UNFIT, (found: string, offset: number) => {
    if (LINE_BREAK.test(found)) {
      const atAnEnd = offset === 0 || offset + found.length === text.length
      return atAnEnd ? '' : ' '
    }
    return SPACE.test(found) ? ' ' : '\ufffd'
  })
}

/** Cuts a text between two characters, to at most `maxBytes` of UTF-8 with the `…` included. */
export function shortenStatus(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBytes) return text
  let end = maxBytes - ELLIPSIS_BYTES
  while (isContinuation(bytes[end])) end--
  return `${bytes.toString('utf8', 0, end)}…`
}

/** The bytes of `…`: a status cannot be shortened to less. */
export const ELLIPSIS_BYTES = 3

/** Reads a status as the service manager does: undefined if it would not take it for UTF-8. */
export function readStatus(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8')
  return isUtf8(bytes) && !NONCHARACTER.test(text) ? text : undefined
}

const UNFIT = /[\r\n]+|[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/gu
const LINE_BREAK = /^[\r\n]/
const SPACE = /^[\t\v\f]/
const NONCHARACTER = /\p{Noncharacter_Code_Point}/u

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80
}
