import { errnoFromName } from './errno-names.js'
import { formatInteger, parseInteger, UINT64_MAX } from './integer.js'
import { cleanStatus, readStatus } from './status-text.js'

/** The grammar of one kind of value, in both directions. */
export interface Grammar<Value> {
  /** What a caller may give, for error messages. */
  readonly accepts: string
  /** `typeof` of what a caller may give. */
  readonly types: readonly string[]
  /** The declared type names every value, so any other is a wrong argument, not a wrong value. */
  readonly closed?: true
  /** What the wire may carry, for reports. */
  readonly wire: string
  /** On any other value the line is no assignment at all, rather than a wrong one. */
  readonly exact?: true
  /** The text for the wire; undefined for a value outside of the grammar. */
  encode(value: unknown): string | undefined
  /** The value; undefined for a text outside of the grammar. Each character is one byte. */
  parse(text: string): Value | undefined
}

/** `KEY=1` and nothing else. */
export const flag: Grammar<true> = {
  accepts: 'true or left out (a flag of 0 has no meaning)',
  types: ['boolean'],
  closed: true,
  wire: '1',
  exact: true,
  encode: (value) => (value === true ? '1' : undefined),
  parse: (text) => (text === '1' ? true : undefined),
}

/** `KEY=0` and nothing else. */
export const offFlag: Grammar<false> = {
  ...flag,
  accepts: 'false or left out (1 has no meaning)',
  wire: '0',
  encode: (value) => (value === false ? '0' : undefined),
  parse: (text) => (text === '0' ? false : undefined),
}

/** One of a few words. */
export function choice<Word extends string>(words: readonly Word[]): Grammar<Word> {
  const find = (value: unknown): Word | undefined => words.find((word) => word === value)
  const listed = words.map((word) => `'${word}'`).join(', ')
  return {
    accepts: `one of ${listed}`,
    types: ['string'],
    closed: true,
    wire: `one of ${listed}`,
    encode: find,
    parse: find,
  }
}

/** A ping, or the demand to fail. */
export const watchdog: Grammar<true | 'trigger'> = {
  accepts: "true, 'trigger' or left out",
  types: ['boolean', 'string'],
  closed: true,
  wire: '1 or trigger',
  encode: (value) => (value === true ? '1' : value === 'trigger' ? value : undefined),
  parse: (text) => (text === '1' ? true : text === 'trigger' ? text : undefined),
}

/** A 64-bit integer in `min`..`max`. */
export function integer(min: bigint, max: bigint): Grammar<bigint> {
  return {
    accepts: `a whole number from ${min} to ${max} (beyond 2^53 a bigint)`,
    types: ['number', 'bigint'],
    wire: `an integer from ${min} to ${max}`,
    encode: (value) => formatInteger(value, min, max),
    parse(text) {
      const value = parseInteger(text)
      return value !== undefined && value >= min && value <= max ? value : undefined
    },
  }
}

/** A 64-bit integer whose largest value is written 'infinity'. */
export function integerOrInfinity(min: bigint): Grammar<bigint> {
  const { accepts, types, encode, ...rest } = integer(min, UINT64_MAX)
  return {
    ...rest,
    accepts: `${accepts}, or 'infinity'`,
    types: [...types, 'string'],
    encode: (value) => encode(value === 'infinity' ? UINT64_MAX : value),
  }
}

/** An integer in `min`..`max` that a number can hold. */
export function smallInteger(min: number, max: number): Grammar<number> {
  const { parse, ...rest } = integer(BigInt(min), BigInt(max))
  return {
    ...rest,
    accepts: `a whole number from ${min} to ${max}`,
    types: ['number'],
    parse(text) {
      const value = parse(text)
      return value === undefined ? undefined : Number(value)
    },
  }
}

const ERRNO = smallInteger(0, 4095)

/** An error number or name; on the wire it is always a number, which every manager reads. */
export const errno: Grammar<number> = {
  accepts: "an errno from 0 to 4095, a name such as 'ENOENT', or an Error with errno or code",
  types: ['number', 'string', 'object'],
  wire: 'an integer from 0 to 4095 or the name of an errno',
  encode(value) {
    // Node's errors carry the errno negated.
    if (typeof value === 'number') return ERRNO.encode(Math.abs(value))
    if (typeof value === 'string') return errnoFromName(value)?.toString()
    const { errno: number, code } = value as { errno?: unknown; code?: unknown }
    if (typeof number === 'number') return ERRNO.encode(Math.abs(number))
    return typeof code === 'string' ? errnoFromName(code)?.toString() : undefined
  },
  parse: (text) => errnoFromName(text) ?? ERRNO.parse(text),
}

/** Free text: made fit, never refused. */
export const status: Grammar<string> = {
  accepts: 'a string',
  types: ['string'],
  wire: 'UTF-8 without noncharacters',
  encode: (value) => cleanStatus(value as string),
  parse: (text) => readStatus(Buffer.from(text, 'latin1')),
}

/** A D-Bus or Varlink error name, as loosely as the service manager takes it; empty clears it. */
export const errorName: Grammar<string> = {
  accepts: 'a string of printable ASCII characters without quotes, backslash, *, ? and [',
  types: ['string'],
  wire: 'printable ASCII without quotes, backslash, *, ? and [',
  encode: (value) => matching(ERROR_NAME, value as string),
  parse: (text) => matching(ERROR_NAME, text),
}

/**
 * The name of a stored descriptor.
 *
 * A backslash is legal on the wire and refused here: the service manager takes one level of them
 * off, and sd_listen_fds_with_names(3) takes off another when the descriptor comes back.
 */
export const fdName: Grammar<string> = {
  accepts: 'a string of at most 255 printable ASCII characters without : and backslash',
  types: ['string'],
  wire: 'at most 255 printable ASCII characters without :',
  encode: (value) => (value === '' ? '' : matching(SAFE_FD_NAME, value as string)),
  parse: (text) => matching(FD_NAME, text),
}

const ERROR_NAME = /^[ !#-&(-)+->@-Z\]-~]*$/
const FD_NAME = /^[ -9;-~]{0,255}$/
const SAFE_FD_NAME = /^[ -9;-[\]-~]{0,255}$/

function matching(grammar: RegExp, text: string): string | undefined {
  return grammar.test(text) ? text : undefined
}
