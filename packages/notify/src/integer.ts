/** The largest value of the wire's integers, which also stands for infinity. */
export const UINT64_MAX: bigint = 2n ** 64n - 1n

/**
 * Reads an integer as systemd's parser does, or gives undefined.
 *
 * Accepted: leading white space, a sign, 0x, 0b, 0o, and the leading 0 of octal. Refused: an empty
 * text, a fraction, an exponent, anything that follows the digits, and all that is not in
 * 0..2^64-1 (so `-0` is 0, and `-1` is nothing). One exception: systemd overlooks a minus behind VT
 * or FF, or behind a space after 0b or 0o, and reads 2^64-1 from it; that is not repeated here.
 */
export function parseInteger(text: string): bigint | undefined {
  const rest = text.replace(/^[ \t\n\r]+/, '')
  const prefix = rest.slice(0, 2).toLowerCase()
  // systemd cuts 0b and 0o off before it calls strtoull(). So a sign or white space may come after
  // them and not before them, which is odd, and is what the manager does.
  if (prefix === '0b') return fromMatch(BINARY.exec(rest.slice(2)), prefix)
  if (prefix === '0o') return fromMatch(OCTAL.exec(rest.slice(2)), prefix)
  return fromMatch(C_LITERAL.exec(rest))
}

/** The plain decimal form of a whole number in `min`..`max`, or undefined. */
export function formatInteger(value: unknown, min: bigint, max: bigint): string | undefined {
  if (typeof value === 'number') {
    // Beyond 2^53 a number may already have lost digits; a bigint carries the rest of the range.
    if (!Number.isSafeInteger(value)) return undefined
  } else if (typeof value !== 'bigint') return undefined
  // Never an exponent, a separator or a leading 0, which the manager would read as octal.
  return value >= min && value <= max ? value.toString() : undefined
}

const BINARY = /^[ \t\n\v\f\r]*([+-]?)([01]+)$/
const OCTAL = /^[ \t\n\v\f\r]*([+-]?)([0-7]+)$/
const C_LITERAL = /^[ \t\n\v\f\r]*([+-]?)(0x[\da-f]+|0[0-7]*|[1-9]\d*)$/i

function fromMatch(match: RegExpExecArray | null, prefix = ''): bigint | undefined {
  const [, sign, digits] = match ?? []
  if (digits === undefined) return undefined
  const isOctal = prefix === '' && /^0\d/.test(digits)
  const magnitude = BigInt((isOctal ? '0o' : prefix) + digits)
  if (magnitude > UINT64_MAX || (sign === '-' && magnitude !== 0n)) return undefined
  return magnitude
}
