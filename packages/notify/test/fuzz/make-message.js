// @ts-check

/** @import { Random } from '../../../../test/support/random.js' */

// Of the man page, and not of our table: what the table forgets must be found.
const FLAGS = ['READY', 'RELOADING', 'STOPPING', 'MAINPIDFD', 'FDSTORE', 'FDSTOREREMOVE']
const NUMBERS = ['MONOTONIC_USEC', 'WATCHDOG_USEC', 'EXTEND_TIMEOUT_USEC', 'MAINPIDFDID', 'MAINPID']
const TEXTS = ['STATUS', 'BUSERROR', 'VARLINKERROR', 'FDNAME', 'X_A', 'X_B', 'X_', 'X_A-B', 'x_a']
const KEYS = [
  ...FLAGS,
  ...['RESTART_RESET', 'BARRIER', 'FDPOLL', 'WATCHDOG', 'NOTIFYACCESS', 'ERRNO', 'EXIT_STATUS'],
  ...NUMBERS,
  ...TEXTS,
  ...['UNKNOWN', '', '__proto__', 'constructor', 'toString', 'READY ', ' READY', 'ready'],
]
// What counts only together, or excludes each other.
const ALONE = ['BARRIER']
const GROUPS = [
  ALONE,
  ['FDSTORE', 'FDNAME', 'FDPOLL'],
  ['FDNAME', 'FDSTOREREMOVE'],
  ['FDSTORE', 'FDNAME', 'FDSTOREREMOVE'],
  ['MAINPID', 'MAINPIDFDID'],
  ['MAINPIDFDID', 'MAINPID', 'MAINPIDFD'],
  ['RELOADING', 'MONOTONIC_USEC'],
]
const WORDS = ['1', '1', '1', '0', '', '1 ', ' 1', 'yes', 'true', '2', 'trigger', 'all', 'exec']
WORDS.push('none', 'main', 'All', 'ENOENT', 'eagain', 'EWOULDBLOCK', 'ENOTSUP', 'EFOO', 'infinity')
const DIGITS = [
  '0',
  '1',
  '5',
  '7',
  '08',
  '017',
  '0x1F',
  '0XfF',
  '0b101',
  '0B2',
  '0o17',
  '0O8',
  '0x',
]
DIGITS.push('255', '256', '4095', '4096', '2147483647', '2147483648', '4294967296', '0b', '0o', '')
DIGITS.push('18446744073709551615', '18446744073709551616', '0xffffffffffffffff', '1e3', '1.0')
DIGITS.push('99999999999999999999999999', '01777777777777777777777', '02000000000000000000000')
const BEFORE_DIGITS = [
  '',
  '',
  '',
  '',
  '+',
  '-',
  '--',
  '+-',
  ' ',
  '\t',
  '\v',
  '\f',
  ' +',
  '- ',
  '\v+',
]
const AFTER_DIGITS = ['', '', '', '', '', ' ', 's', '_0', '.', '\v']
const SEPARATORS = [
  '\n',
  '\n',
  '\n',
  '\n',
  '\n',
  '\n',
  '\n',
  '\n',
  '\n',
  '\r',
  '\r',
  '\r\n',
  '\n\n',
]
SEPARATORS.push('\\\n', '\\\r', '\\\\\n', '')
const PIECES = [
  'a',
  'é',
  '🚀',
  ' ',
  '=',
  ':',
  '"',
  "'",
  '*',
  '?',
  '[',
  '\t',
  '\x07',
  '\x7f',
  '\x9b',
]
PIECES.push('\\', '\\\\', '\\\n', '\n', '\r', 'READY=1', 'MAINPID=1', '\u2028', '\ufffe', '\ufdd0')
PIECES.push('\u{1ffff}', '\ufffd', '\ud7ff', '\ue000', '\u{10fffd}')
// Bytes that are no UTF-8: alone, too long for what they say, surrogates, beyond the last character.
const WRONG = [
  '80',
  'ff',
  'c0af',
  'c3',
  'e282',
  'eda080',
  'edbfbf',
  'f4908080',
  'f8888080',
  'e08080',
  'f0',
]
const LIMIT = 4096

/**
 * A datagram that looks like a notification: lines that mean something, and mistakes in them.
 *
 * @param {Random} random
 * @returns {Buffer}
 */
export function makeMessage(random) {
  const group = random.chance(0.4) ? random.pick(GROUPS) : []
  const keys = [...group, ...random.upTo(group === ALONE ? 0 : 5, () => random.pick(KEYS))]
  /** @type {Buffer} */
  let message = Buffer.concat(keys.map((key) => makeLine(key, random)))
  // A separator behind the last line is the rarer form.
  if (random.chance(0.8)) message = message.subarray(0, lastLineEnd(message))
  if (random.chance(0.05)) message = resize(message, LIMIT + random.below(5) - 2, random)
  for (let left = random.chance(0.4) ? 1 + random.below(4) : 0; left > 0; left--) {
    message = mutate(message, random)
  }
  if (random.chance(0.06)) message = Buffer.concat([message, Buffer.alloc(1 + random.below(2))])
  return message.subarray(0, LIMIT + 2)
}

/**
 * A value as text, of the kinds that the protocol has.
 *
 * @param {Random} random
 * @returns {Buffer}
 */
export function makeValue(random) {
  const kind = random.below(10)
  if (kind < 4) return Buffer.from(random.pick(WORDS))
  if (kind < 7) return Buffer.from(makeNumber(random))
  const parts = random.upTo(8, () =>
    random.chance(0.07) ? Buffer.from(random.pick(WRONG), 'hex') : Buffer.from(random.pick(PIECES)),
  )
  const value = Buffer.concat(parts)
  // Around the limits of a name and of a message.
  return random.chance(0.03)
    ? Buffer.concat([value, Buffer.alloc(253 + random.below(5), 'n')])
    : value
}

/** @param {Random} random */
export function makeNumber(random) {
  if (random.chance(0.3)) return `${2n ** BigInt(random.below(66)) - BigInt(random.below(3))}`
  return random.pick(BEFORE_DIGITS) + random.pick(DIGITS) + random.pick(AFTER_DIGITS)
}

/**
 * @param {string} key
 * @param {Random} random
 */
function makeLine(key, random) {
  const equals = random.chance(0.03) ? '' : '='
  const value = makeFitting(key, random)
  return Buffer.concat([Buffer.from(key + equals), value, Buffer.from(random.pick(SEPARATORS))])
}

/**
 * Mostly a value of the right kind: others are ignored at the first look, and go nowhere.
 *
 * @param {string} key
 * @param {Random} random
 */
function makeFitting(key, random) {
  if (random.chance(0.2)) return makeValue(random)
  if (FLAGS.includes(key)) return Buffer.from('1')
  if (NUMBERS.includes(key)) return Buffer.from(makeNumber(random))
  if (key === 'FDPOLL') return Buffer.from('0')
  if (key === 'BARRIER') return Buffer.from('1')
  if (key === 'FDNAME' && random.chance(0.3)) return Buffer.alloc(253 + random.below(5), 'n')
  if (TEXTS.includes(key)) return Buffer.from(random.upTo(3, () => random.pick(PIECES)).join(''))
  return Buffer.from(random.pick(WORDS))
}

/**
 * @param {Buffer} message
 * @param {Random} random
 */
function mutate(message, random) {
  const at = random.below(message.length + 1)
  const end = Math.min(message.length, at + 1 + random.below(random.chance(0.2) ? 64 : 3))
  const [before, middle, after] = [
    message.subarray(0, at),
    message.subarray(at, end),
    message.subarray(end),
  ]
  switch (random.below(6)) {
    case 0: // Lost.
      return Buffer.concat([before, after])
    case 1: // Twice.
      return Buffer.concat([before, middle, middle, after])
    case 2: // Cut off.
      return before
    case 3: // Something between.
      return Buffer.concat([before, Buffer.from(random.pick(PIECES)), middle, after])
    case 4: // The whole message twice, so that each key is.
      return Buffer.concat([message, Buffer.from('\n'), message])
    default: // Other bytes.
      return Buffer.concat([before, middle.map((byte) => byte ^ (1 << random.below(8))), after])
  }
}

/**
 * @param {Buffer} message
 * @param {number} length
 * @param {Random} random
 */
function resize(message, length, random) {
  if (message.length >= length) return message.subarray(0, length)
  const filler = Buffer.alloc(
    length - message.length,
    random.pick(['x', '\\', '\n', 'é', 'X_A=1\n']),
  )
  return random.chance(0.5) ? Buffer.concat([message, filler]) : Buffer.concat([filler, message])
}

/** @param {Buffer} message */
function lastLineEnd(message) {
  let end = message.length
  while (end > 0 && (message[end - 1] === 10 || message[end - 1] === 13)) end--
  return end
}
