import { describe, expect, test } from 'vitest'
import { ASSIGNMENT_RULES } from '../src/assignment-table.js'
import type { Assignments, ParsedAssignments } from '../src/assignments.js'
import { encodeMessage, MESSAGE_MAX_BYTES } from '../src/encode-message.js'
import { parseMessage, type AcceptedMessage } from '../src/parse-message.js'

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

describe('hostile input', () => {
  const SPICES = ['\n', '\r', '\\', '\0', '=', 'READY=1', 'BARRIER=1', 'MAINPID=1', '\ud800', 'é']
  const random = seededRandom(2016)
  const pick = (): string =>
    random() < 0.7
      ? SPICES[Math.floor(random() * SPICES.length)]!
      : String.fromCodePoint(Math.floor(random() ** 4 * 0x110000))
  const randomText = (pieces: number): string => Array.from({ length: pieces }, pick).join('')

  test('2,000 status texts never say more than a status', () => {
    for (let round = 0; round < 2000; round++) {
      const text = randomText(Math.floor(random() * (round % 50 === 0 ? 3000 : 30)))
      const message = encodeMessage({ status: text, watchdog: true }, 0)
      const { assignments, lines, problems } = accept(message)
      expect(lines).toHaveLength(2)
      expect(Object.keys(assignments)).toEqual(['status', 'watchdog'])
      expect(problems).toEqual([])
      expect(message.length).toBeLessThanOrEqual(MESSAGE_MAX_BYTES)
      // And nothing is left for another hop to misread.
      expect(encodeMessage({ status: assignments.status, watchdog: true }, 0)).toEqual(message)
    }
  })

  test('5,000 extra values arrive as they are, or not at all', () => {
    for (let round = 0; round < 5000; round++) {
      const value = randomText(Math.floor(random() * 8))
      const refused = /[\0\r\n\p{Cs}]/u.test(value)
      expect(sendExtra(value)).toBe(refused ? 'ERR_NOTIFY_VALUE_INVALID' : value)
    }
  })

  test('10,000 messages of random bytes never throw', () => {
    for (let round = 0; round < 10_000; round++) {
      // Plain noise mostly holds a NUL and is rejected; so every second message is made of spices.
      const noise = Buffer.from(Array.from({ length: random() * 200 }, () => random() * 256))
      const data = round % 2 === 0 ? noise : Buffer.from(randomText(random() * 20))
      expect(() => parseMessage(data)).not.toThrow()
    }
  })

  test('what a random message says can be said again, but for descriptors and escapes', () => {
    const keys = Object.values(ASSIGNMENT_RULES).map((rule) => rule.key)
    const values = ['1', '0', '', '5', '08', '4096', 'all', 'trigger', 'x:y', 'a b', '-1', 'ENOENT']
    const line = (): string =>
      `${keys[Math.floor(random() * keys.length)]}=${values[Math.floor(random() * values.length)]}`
    for (let round = 0; round < 5000; round++) {
      const message = Array.from({ length: random() * 8 }, line).join('\n')
      const { barrier, mainPidFd, ...assignments } = accept(Buffer.from(message)).assignments
      if (Object.keys(assignments).length === 0) continue
      const again = accept(encodeMessage(assignments, assignments.fdStore ? 1 : 0))
      expect(again.assignments).toEqual(assignments)
      expect(again.problems).toEqual([])
      expect([barrier, mainPidFd]).not.toContain(false)
    }
  })
})

// mulberry32: the same numbers in every run, so that a failure can be repeated.
function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
