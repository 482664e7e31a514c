import { describe, expect, test } from 'vitest'
import { ASSIGNMENT_RULES } from '../src/assignment-table.js'
import type { Assignments, ParsedAssignments } from '../src/assignments.js'
import { encodeMessage, MESSAGE_MAX_BYTES } from '../src/encode-message.js'
import { parseMessage, type AcceptedMessage } from '../src/parse-message.js'
import { makeMessage } from './fuzz/make-message.js'
import { Random } from '../../../test/support/random.js'

const U64_MAX = 2n ** 64n - 1n

function accept(data: Uint8Array): AcceptedMessage {
  const parsed = parseMessage(data)
  if ('rejected' in parsed) throw new Error(parsed.rejected)
  return parsed
}

// An extra value as it arrives, or why it was not sent.
function sendExtra(value: string): unknown {
  try {
    return accept(encodeMessage({ extra: { X_A: value } }, 0)).assignments.extra?.X_A
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

const ROUND_TRIPS: [Assignments, number, ParsedAssignments?][] = [
  [{ ready: true }, 0],
  [{ reloading: true, monotonicUsec: 5 }, 0, { reloading: true, monotonicUsec: 5n }],
  [{ stopping: true }, 0],
  [{ status: 'Grüße "x" = 🚀' }, 0],
  [{ status: '' }, 0],
  [{ notifyAccess: 'none' }, 0],
  [{ errno: 'eagain' }, 0, { errno: 11 }],
  [{ busError: 'org.example.Failed' }, 0],
  [{ varlinkError: '' }, 0],
  [{ exitStatus: 255 }, 0],
  [{ mainPid: 8, mainPidFdId: U64_MAX }, 0],
  [{ mainPidFd: true }, 1],
  [{ watchdog: true }, 0],
  [{ watchdog: 'trigger' }, 0],
  [{ watchdogUsec: 'infinity' }, 0, { watchdogUsec: U64_MAX }],
  [{ extendTimeoutUsec: 10 }, 0, { extendTimeoutUsec: 10n }],
  [{ fdStore: true, fdName: 'db 1', fdPoll: false }, 2],
  [{ fdStoreRemove: true, fdName: '' }, 0],
  [{ restartReset: true }, 0],
  [{ barrier: true }, 1],
  [{ extra: { X_A: '\\a\\\\b\\', X_B: '', X_C: ' é\t"=' } }, 0],
]

describe('what is encoded is parsed back', () => {
  test.each(ROUND_TRIPS)('%o', (assignments, fdCount, expected) => {
    const { assignments: parsed, problems } = accept(encodeMessage(assignments, fdCount))
    expect(parsed).toEqual(expected ?? assignments)
    expect(problems).toEqual([])
  })

  test('no assignment of the protocol was forgotten above', () => {
    const properties = new Set(ROUND_TRIPS.flatMap(([assignments]) => Object.keys(assignments)))
    expect([...properties].toSorted()).toEqual(
      [...Object.keys(ASSIGNMENT_RULES), 'extra'].toSorted(),
    )
  })

  test('all at once, in order', () => {
    const assignments = { status: 'x', ready: true as const, mainPid: 4, extra: { X_A: '1' } }
    const { assignments: parsed } = accept(encodeMessage(assignments, 0))
    expect(Object.entries(parsed)).toEqual(Object.entries(assignments))
  })
})

describe('any valid notification', () => {
  const random = new Random(252)

  test('is read as it was meant, 5,000 times', () => {
    const seen = new Set<string>()
    for (let round = 0; round < 5_000; round++) {
      const { assignments, fdCount, read } = anyNotification(random)
      const data = encodeMessage(assignments, fdCount)
      const message = accept(data)
      expect(message.assignments).toEqual(read)
      expect(message.problems).toEqual([])
      expect(message.lines).toHaveLength(countLines(read))
      expect(Object.keys(message.assignments)).toEqual(
        Object.keys(read).toSorted(byOrderOf(assignments)),
      )
      // And said again, it is the same to the byte: nothing is left for another hop to misread.
      expect(encodeMessage(message.assignments, fdCount)).toEqual(data)
      for (const key of Object.keys(assignments)) seen.add(key)
    }
    expect([...seen].toSorted()).toEqual([...Object.keys(ASSIGNMENT_RULES), 'extra'].toSorted())
  })

  test('fits, with its status cut between two characters, and nothing else of it lost', () => {
    let cuts = 0
    for (let round = 0; round < 3000; round++) {
      const { assignments, fdCount } = anyNotification(random)
      if (assignments.barrier) continue
      const plain = random.pick(['x', 'é', '€', '🚀'])
      const length = Math.floor(MESSAGE_MAX_BYTES / Buffer.byteLength(plain)) - random.below(300)
      const status =
        plain.repeat(length + random.below(3)) + random.pick(['', 'x', 'é', '\n', '\\'])
      const data = encodeMessage({ ...assignments, status }, fdCount)
      expect(data.length).toBeLessThanOrEqual(MESSAGE_MAX_BYTES)
      const { assignments: read, problems } = accept(data)
      expect(problems).toEqual([])
      expect({ ...read, status: '' }).toEqual({
        ...accept(encodeMessage({ ...assignments, status: '' }, fdCount)).assignments,
      })
      const whole = accept(encodeMessage({ status: plain }, 0)).assignments.status!
      expect(
        read
          .status!.replace(/…$/, '')
          .replace(/[xé \u29f5]$/u, '')
          .replaceAll(whole, ''),
      ).toBe('')
      if (!read.status!.endsWith('…')) continue
      cuts++
      // No room is given away but what another character would not have fitted in.
      expect(data.length).toBeGreaterThan(MESSAGE_MAX_BYTES - Buffer.byteLength(plain))
    }
    expect(cuts).toBeGreaterThan(100)
  })

  test('one byte too long is refused if there is no status to cut', () => {
    for (const excess of [0, 1]) {
      const key = 'X_A='
      const value = 'é'.repeat(1000) + 'x'.repeat(MESSAGE_MAX_BYTES - 2000 - key.length + excess)
      const encode = (): Buffer => encodeMessage({ extra: { X_A: value } }, 0)
      if (excess === 0) expect(encode()).toHaveLength(MESSAGE_MAX_BYTES)
      else expect(encode).toThrow(expect.objectContaining({ code: 'ERR_NOTIFY_MESSAGE_TOO_LONG' }))
    }
  })
})

describe('any text', () => {
  const random = new Random(262)
  const TEXTS = ['status', 'notifyAccess', 'errno', 'busError', 'varlinkError', 'fdName'] as const

  test.each(TEXTS)('as %s says that and nothing else, or is refused', (property) => {
    const companions = property === 'fdName' ? { fdStoreRemove: true as const } : {}
    const meant = new Set([property, ...Object.keys(companions)])
    const outcomes = new Set<string>()
    for (let round = 0; round < 5000; round++) {
      const text = hostileText(random, round % 100 === 0 ? 3000 : 12)
      let data
      try {
        data = encodeMessage({ ...companions, [property]: text } as Assignments, 0)
      } catch (error) {
        outcomes.add(String((error as { code?: unknown }).code))
        continue
      }
      const { assignments, lines, problems } = accept(data)
      expect(new Set(Object.keys(assignments))).toEqual(meant)
      expect(lines).toHaveLength(meant.size)
      expect(problems).toEqual([])
      outcomes.add('sent')
    }
    outcomes.delete('sent')
    const refusals = ['ERR_NOTIFY_VALUE_INVALID', 'ERR_INVALID_ARG_VALUE']
    expect(refusals).toEqual(expect.arrayContaining([...outcomes]))
    // A status is made fit, and never refused.
    expect(outcomes.size).toBe(property === 'status' ? 0 : 1)
  })

  test('as an own assignment arrives as it is, or is refused', () => {
    for (let round = 0; round < 5000; round++) {
      const value = hostileText(random, 8)
      const refused = /[\0\r\n\p{Cs}]/u.test(value)
      expect(sendExtra(value)).toBe(refused ? 'ERR_NOTIFY_VALUE_INVALID' : value)
    }
  })

  test('as a key of an own assignment is one, or is refused', () => {
    for (let round = 0; round < 5000; round++) {
      const key = random.pick(['X_', 'X_A', '', 'READY', 'x_']) + hostileText(random, 3)
      const extra = { [key]: '1' } as NonNullable<Assignments['extra']>
      const encode = (): Buffer => encodeMessage({ extra, watchdog: true }, 0)
      if (!/^X_[A-Za-z0-9_]+$/.test(key)) {
        expect(encode).toThrow(expect.objectContaining({ code: 'ERR_NOTIFY_VALUE_INVALID' }))
        continue
      }
      expect(accept(encode()).assignments).toEqual({ extra, watchdog: true })
    }
  })
})

describe('any datagram', () => {
  const random = new Random(261)

  test('never throws, and what it says is the same whichever line breaks are in it', () => {
    for (let round = 0; round < 10_000; round++) {
      // Noise mostly holds a NUL and is rejected; so every second one is made of lines.
      const noise = Buffer.from(random.upTo(200, () => random.below(256)))
      const data = round % 2 === 0 ? noise : makeMessage(random)
      const message = parseMessage(data)
      if ('rejected' in message || data.includes('\\')) continue
      const breaks = random.pick(['\r', '\r\n', '\n\n', '\n\r\r'])
      const text = data.toString('latin1').replaceAll(/[\r\n]+/g, breaks)
      const other = Buffer.from(breaks + text, 'latin1')
      expect(parseMessage(other)).toEqual(message)
    }
  })

  test('split into one message for each line, it says no less and no more', () => {
    for (let round = 0; round < 5000; round++) {
      const { assignments, fdCount, read } = anyNotification(random)
      const lines = encodeMessage(assignments, fdCount).toString('latin1').split('\n')
      const readings = lines.map((line) => accept(Buffer.from(line, 'latin1')))
      const unknown = readings.flatMap((message) => message.unknown)
      expect(unknown).toHaveLength(Object.keys(read.extra ?? {}).length)
      const said = readings.flatMap((message) => [
        ...Object.keys(message.assignments),
        // A line that counts only beside another one says so.
        ...message.problems.map((problem) => problem.assignment),
      ])
      const own = Object.keys(read.extra ?? {}).length
      expect(said).toHaveLength(Object.keys(read).length - (own > 0 ? 1 : 0) + own)
    }
  })
})

interface AnyNotification {
  assignments: Assignments
  fdCount: number
  /** What the receiver reads. */
  read: ParsedAssignments
}

// All that combination.ts allows, each property with probability; some in a form that the wire does not have.
function anyNotification(random: Random): AnyNotification {
  if (random.chance(0.02))
    return { assignments: { barrier: true }, fdCount: 1, read: { barrier: true } }
  const pairs: [string, unknown, unknown?][] = []
  const add = (property: string, given: unknown, read: unknown = given): void => {
    pairs.push([property, given, read])
  }
  const maybe = (make: () => void): void => {
    if (random.chance(0.2)) make()
  }
  const uint64 = (min = 0n, max = U64_MAX): bigint => {
    const bits = BigInt(random.below(65))
    const value = (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32))
    const cut = random.pick([value & ((1n << bits) - 1n), min, max, 1n << (bits % 64n)])
    return cut < min ? min : cut > max ? max : cut
  }
  const addInteger = (property: string, value: bigint): void => {
    const isSafe = value <= BigInt(Number.MAX_SAFE_INTEGER)
    add(property, isSafe && random.chance(0.5) ? Number(value) : value, value)
  }
  const printable = (unfit: RegExp, most: number): string =>
    random
      .upTo(most, () => String.fromCharCode(32 + random.below(95)))
      .join('')
      .replaceAll(unfit, 'z')

  maybe(() => add('ready', true))
  maybe(() => {
    add('reloading', true)
    if (random.chance(0.8)) addInteger('monotonicUsec', uint64())
  })
  maybe(() => add('stopping', true))
  maybe(() => add('status', random.upTo(40, () => random.pick(HARMLESS)).join('')))
  maybe(() => add('notifyAccess', random.pick(['none', 'main', 'exec', 'all'])))
  maybe(() => {
    const number = random.pick([0, 1, 2, 11, 4095, random.below(4096)])
    add('errno', random.pick([number, -number, number === 2 ? 'enoent' : number]), number)
  })
  maybe(() => add('busError', printable(/["'\\*?[]/g, 40)))
  maybe(() => add('varlinkError', printable(/["'\\*?[]/g, 40)))
  maybe(() => add('exitStatus', random.below(256)))
  maybe(() => {
    add('mainPid', random.pick([1, 2 ** 31 - 1, 1 + random.below(4_194_304)]))
    if (random.chance(0.5)) addInteger('mainPidFdId', uint64())
  })
  maybe(() => add('watchdog', random.pick([true, 'trigger'])))
  maybe(() => {
    if (random.chance(0.2)) add('watchdogUsec', 'infinity', U64_MAX)
    else addInteger('watchdogUsec', uint64())
  })
  maybe(() => addInteger('extendTimeoutUsec', uint64(1n, U64_MAX - 1n)))
  maybe(() => add('restartReset', true))
  maybe(() => {
    const own = random.upTo(3, () => [
      `X_${random.pick(['A', 'b', '_', '0'])}${random.below(5)}`,
      hostileText(random, 6).replaceAll(/[\0\r\n\p{Cs}]/gu, '\\'),
    ])
    if (own.length > 0) add('extra', Object.fromEntries(own))
  })
  const fdCount = addDescriptors(random, add, () => printable(/[:\\]/g, random.pick([0, 10, 255])))
  if (pairs.length === 0) add('ready', true)

  const shuffled = pairs.toSorted(() => random.next() - 0.5)
  const object = (at: 1 | 2): object =>
    Object.fromEntries(shuffled.map((pair) => [pair[0], pair[at]]))
  return { assignments: object(1), fdCount, read: object(2) }
}

function addDescriptors(
  random: Random,
  add: (property: string, value: unknown) => void,
  makeName: () => string,
): number {
  switch (random.below(5)) {
    case 0:
      add('fdStore', true)
      if (random.chance(0.7)) add('fdName', makeName())
      if (random.chance(0.3)) add('fdPoll', false)
      return random.pick([1, 2, 253])
    case 1:
      add('fdStoreRemove', true)
      add('fdName', makeName())
      return 0
    case 2:
      add('mainPidFd', true)
      return 1
    default:
      return 0
  }
}

const HARMLESS = [
  'a',
  'Z',
  ' ',
  '=',
  'é',
  '€',
  '🚀',
  '"',
  "'",
  ':',
  '%',
  'READY=1',
  '…',
  '\u29f5',
  '\ufffd',
]
const SPICES = ['\n', '\r', '\\', '\0', '=', 'READY=1', 'BARRIER=1', 'MAINPID=1', '\ud800', 'é']
// Some values that are right for one property or another.
const RIGHT = ['', 'all', 'ENOENT', 'db', 'org.example.Failed']

function hostileText(random: Random, pieces: number): string {
  if (random.chance(0.05)) return random.pick(RIGHT)
  const piece = (): string =>
    random.chance(0.7)
      ? random.pick(SPICES)
      : String.fromCodePoint(Math.floor(random.next() ** 4 * 0x11_0000))
  return random.upTo(pieces, piece).join('')
}

function countLines(read: ParsedAssignments): number {
  const { extra = {}, ...others } = read
  return Object.keys(others).length + Object.keys(extra).length
}

function byOrderOf(object: object): (one: string, other: string) => number {
  const order = Object.keys(object)
  return (one, other) => order.indexOf(one) - order.indexOf(other)
}
