// The environments that libsystemd and listenFds() are compared in. Each question has the line for answers.c, a text for people,
// and the answer of this package, in the form of that program's.
import { listenFds } from '@sdbridge/listen-fds'
import { closeFd, isCloexec, pidfdId as idOf, pidfdOpen, setCloexec } from '@sdbridge/syscalls'
import { Random } from '../../../../test/support/random.js'

const VARIABLES = ['LISTEN_PID', 'LISTEN_PIDFDID', 'LISTEN_FDS', 'LISTEN_FDNAMES']
const COUNT = 6000
const EINVAL = -22
const ERANGE = -34

/**
 * The one deliberate difference. systemd looks for a minus at the very start only, and strtoull() reads one behind other white
 * space as a number modulo 2^64; to us it is a negative number.
 */
const OVERLOOKED_MINUS = /^[ \t\n\r]*(0[bo])?[ \t-\r]+-/i

/**
 * @param {{ passed: number, seed: number, knowsPidfdId: boolean }} options passed: how many descriptors there are
 */
export function environmentQuestions({ passed, seed, knowsPidfdId }) {
  return environments(new Random(seed), passed)
    .map(([pid, pidfdId, ...rest]) => [pid, knowsPidfdId ? pidfdId : undefined, ...rest])
    .filter((row) => !row.slice(0, 2).some((value) => OVERLOOKED_MINUS.test(value ?? '')))
    .map((row) => environmentQuestion(row, passed))
}

/**
 * @param {readonly (string | undefined)[]} row the values in the order of the variables, a byte in each character; those from 1 to
 *   6 as answers.c has them
 * @param {number} passed
 */
export function environmentQuestion(row, passed) {
  const bytes = row.map((value) => (value === undefined ? undefined : Buffer.from(value, 'latin1')))
  const words = bytes.map((value) => (value === undefined ? '-' : `=${value.toString('hex')}`))
  const env = {}
  for (const [at, value] of bytes.entries()) {
    // As process.env has them.
    if (value !== undefined) env[VARIABLES[at]] = expanded(value.toString())
  }
  return {
    name: 'sd_listen_fds_with_names',
    text: row.map((value, at) => `${VARIABLES[at]}=${JSON.stringify(value)}`).join(' '),
    line: ['e', passed, ...words].join(' '),
    read: readAnswer,
    answer: () => answerTo(env, passed),
  }
}

function answerTo(env, passed) {
  const { LISTEN_FDNAMES: _, ...nameless } = env
  const plain = outcomeOf(() => listenFds({ env: nameless, unsetEnvironment: false }).length)
  for (let at = 0; at < passed; at++) setCloexec(3 + at, false)
  let names = []
  const result = outcomeOf(() => {
    names = listenFds({ env }).map(({ name }) => name)
    return names.length
  })
  let left = 0
  for (const [at, name] of VARIABLES.entries()) if (name in env) left |= 1 << at
  let cloexec = 0
  for (let at = 0; at < passed; at++) if (isCloexec(3 + at)) cloexec |= 1 << at
  return [result, plain, left, cloexec, JSON.stringify(names)].join(' ')
}

function outcomeOf(call) {
  try {
    return call()
  } catch (error) {
    if (error.code === 'ERR_LISTEN_FDS_INVALID_ENVIRONMENT') return 'invalid'
    if (error.code === 'ERR_LISTEN_FDS_BAD_DESCRIPTOR') return 'EBADF'
    throw error
  }
}

const ERRORS = new Map([
  [EINVAL, 'invalid'],
  [ERANGE, 'invalid'],
  [-9, 'EBADF'],
])

function readAnswer(line) {
  const [result, plain, left, cloexec, ...names] = line.split(' ')
  const texts = names.map((hex) => Buffer.from(hex.slice(1), 'hex').toString())
  const [first, second] = [result, plain].map((number) => ERRORS.get(Number(number)) ?? number)
  return [first, second, left, cloexec, JSON.stringify(texts)].join(' ')
}

// As in answers.c.
function expanded(text) {
  const id = ownPidfdId()
  const values = [10, 8, 16, 2].map((base) => process.pid.toString(base))
  values.push(id.toString(), id.toString(16))
  // oxlint-disable-next-line no-control-regex -- they stand for what each of the two programs has of its own
  return text.replace(/[\x01-\x06]/g, (byte) => values[byte.charCodeAt(0) - 1])
}

let ownId

function ownPidfdId() {
  if (ownId !== undefined) return ownId
  const pidfd = pidfdOpen(process.pid)
  ownId = idOf(pidfd)
  closeFd(pidfd)
  return ownId
}

/** A number in each base, as the bytes that stand for it or as its digits. */
const OWN_PID = { 10: '\x01', 8: '\x02', 16: '\x03', 2: '\x04' }
const OWN_PIDFD_ID = { 10: '\x05', 16: '\x06' }

function digitsOf(number) {
  return Object.fromEntries([10, 8, 16, 2].map((base) => [base, BigInt(number).toString(base)]))
}

// Of what a parser of integers can be wrong about, one or two things at a time: texts with more are refused by any.
const SPACES = ['', ' ', '\t', '\n', '\r', '\v', '\f', ' \t\r\n', '\x0e', '\x1f', '\x7f', '\xa0', '\xc2\xa0', '\xe2\x80\x83', '\xef\xbb\xbf'] // prettier-ignore
const SIGNS = ['', '+', '-', '--', '+-', '-+', '\xe2\x88\x92', '+ ', '- ']
const PREFIXES = { 10: ['', '0d'], 8: ['0', '0o', '0O', '00', '0o0', '0o0o', '0q'], 16: ['0x', '0X', 'x', '0x0x', '0x0', '00x', '#', '$'], 2: ['0b', '0B', '0b0', '0b0b', '0b0x', 'b'] } // prettier-ignore
const INSIDES = ['', ' ', '\t', '\v', '+', '-', ' +', ' -', '\v-', '_']
const ENDS = ['', ' ', '\n', '\t', '\v', '\r', '.', '.0', 'e0', 'L', 'u', 'n', 'x', ',', ';', '_', '\xd9\xa5', '\xff', '\x07'] // prettier-ignore
const TEXTS = ['', ' ', '+', '-', '0', '-0', '+0', '00', '0x', '0b', '0o', '0x0', '0b0', '0o0', '0b-0', '08', '09', '0b2', '0o8', '0xg', 'x', 'five', 'NaN', 'Infinity', '1e3', '1_000', '1,000', '1.5', '\xd9\xa5', '\xef\xbc\x95', 'self'] // prettier-ignore
const EDGES = [31n, 32n, 63n, 64n, 128n].flatMap((bits) =>
  [-5n, -4n, -3n, -2n, -1n, 0n, 1n, 2n].map((more) => 2n ** bits + more),
)

// Every spelling with one oddity, and every edge of a type in every base.
function spellings(digits) {
  const spellOne = (spelling) => spell(digits, spelling)
  return Object.keys(digits).flatMap((base) =>
    PREFIXES[base].flatMap((prefix) => [
      ...SPACES.map((space) => spellOne({ base, prefix, space })),
      ...SIGNS.map((sign) => spellOne({ base, prefix, sign })),
      ...INSIDES.map((inside) => spellOne({ base, prefix, inside })),
      ...ENDS.map((end) => spellOne({ base, prefix, end })),
    ]),
  )
}

const EDGE_TEXTS = EDGES.flatMap((edge) => {
  const digits = digitsOf(edge)
  const forms = [digits[10], `0${digits[8]}`, `0x${digits[16]}`, `0b${digits[2]}`, `0o${digits[8]}`]
  return forms.flatMap((form) => [form, `-${form}`, `+${form}`, ` ${form}`])
})

function spell(digits, { base, prefix, space = '', sign = '', inside = '', end = '' }) {
  return `${space}${sign}${prefix}${inside}${digits[base]}${end}`
}

function environments(random, passed) {
  const [pid, id, fds] = [OWN_PID[10], OWN_PIDFD_ID[10], '2']
  const numbers = [...TEXTS, ...EDGE_TEXTS]
  const systematic = [
    ...[...spellings(OWN_PID), ...numbers].map((text) => [text, undefined, fds, undefined]),
    ...[...spellings(OWN_PIDFD_ID), ...numbers].map((text) => [pid, text, fds, undefined]),
    ...[...spellings(digitsOf(passed)), ...numbers].map((text) => [pid, id, text, undefined]),
    ...Array.from({ length: passed + 3 }, (_, count) => [pid, id, `${count}`, undefined]),
    ...[...NAMES, ...NAMES.map((name) => `a:${name}`)].map((names) => [pid, id, fds, names]),
    ...NAMES.map((names) => ['1', id, fds, names]),
    ...NAMES.map((names) => [undefined, undefined, undefined, names]),
  ]
  const chosen = Array.from({ length: COUNT }, () => anyEnvironment(random, passed))
  return [...systematic, ...chosen]
}

const NAMES = ['', ':', 'a', 'a:b', 'a:a', 'a::b', '::', 'a:', ':a', '\\', 'a\\', 'a:\\', '\\:', 'a\\:b', '\\\\', '\\\\:', '\\a:\\b', '"a:b\'', '"a b":c', ' a : b', 'a\tb:\n', '\xc3\xa4:\xc3\xb6', '\\\xc3\xa4:b', '\\\xf0\x9f\x98\x80:b', '\xff:\xfe', '\\\xff:\xc3', 'a=b:c', '$HOME:%n', 'x'.repeat(70_000), 'y'.repeat(40_000) + ':' + '\\z'.repeat(20_000), ':'.repeat(20_000)] // prettier-ignore
const PIECES = ['a', 'web', 'stored', '.socket', ':', ':', ':', ':', '\\', '\\:', '\\\\', ' ', '\n', '"', "'", '\xc3\xa4', '\xff', '\xf0\x9f\x98\x80', '\x7f', '\x07', '-'] // prettier-ignore

function anyEnvironment(random, passed) {
  const count = 1 + random.below(passed + 1)
  return [
    random.chance(0.9) ? anyNumber(random, OWN_PID, 0.8) : undefined,
    random.chance(0.4) ? anyNumber(random, OWN_PIDFD_ID, 0.8) : undefined,
    random.chance(0.95) ? anyNumber(random, digitsOf(count), 0.7) : undefined,
    random.chance(0.6) ? anyNames(random, count) : undefined,
  ]
}

function anyNumber(random, digits, plainness) {
  if (random.chance(plainness)) return digits[10]
  if (random.chance(0.2)) return random.pick([...TEXTS, ...EDGE_TEXTS])
  const base = random.pick(Object.keys(digits))
  const maybe = (list) => (random.chance(0.3) ? random.pick(list) : '')
  return spell(digits, {
    base,
    prefix: random.pick(PREFIXES[base]),
    space: maybe(SPACES),
    sign: maybe(SIGNS),
    inside: maybe(INSIDES),
    end: maybe(ENDS),
  })
}

function anyNames(random, count) {
  if (random.chance(0.3)) return Array.from({ length: count }, () => 'name').join(':')
  return Array.from({ length: random.below(8) }, () => random.pick(PIECES)).join('')
}
