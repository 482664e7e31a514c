import { describe, expect, test } from 'vitest'
import type { ParsedAssignments } from '../../src/assignments.js'
import { parseInteger } from '../../src/integer.js'
import { parseMessage } from '../../src/parse-message.js'
import { makeMessage, makeNumber, makeValue } from '../fuzz/make-message.js'
import { Random } from '../../../../test/support/random.js'
import { isSystemdUtf8, readInteger, splitLines } from '../fuzz/reference-parser.js'
import type { Systemd } from './systemd.js'

const COUNT = 20_000
// It looks for a minus only at the very start, and strtoull() reads one behind other white space: -1 is then 2^64-1.
const OVERLOOKED_MINUS = /^[ \t\n\r]*(0[bo])?[ \t-\r]+-/i
const ERRNO_NAMES = [
  'ENOENT',
  'enoent',
  'EHWPOISON',
  'ENOTSUP',
  'EDEADLOCK',
  'EWOULDBLOCK',
  'EFOO',
  'ENOENT ',
]

/** Declares the tests that compare our parser, and the fuzzer's, with the functions of the service manager itself. */
export function testParsers(getSystemd: () => Systemd, version: number): void {
  const random = new Random(2016)
  const texts = Array.from({ length: COUNT }, () => withoutNul(makeValue(random)))
  const numbers = Array.from({ length: COUNT }, () => withoutNul(Buffer.from(makeNumber(random))))

  describe("the manager's own functions agree on", () => {
    test('the lines of a message', () => {
      const messages = Array.from({ length: COUNT }, () => withoutNul(makeMessage(random)))
      const theirs = getSystemd().ask('l', messages).map(linesOf)
      expect(messages.map((message) => splitLines(message)?.map(latin1))).toEqual(theirs)
      expect(messages.map(ourLines)).toEqual(theirs.map((lines) => lines?.map(shown)))
      expect(theirs).toContain(undefined)
    })

    // The function that receives for all of systemd came with 258.
    test.each(version >= 258 ? ['notify_recv_with_fds_strv()'] : [])(
      'the datagrams that are dropped, and the lines of the others: %s',
      () => {
        const messages = Array.from({ length: COUNT }, () => makeMessage(random))
        const theirs = getSystemd().ask('m', messages).map(linesOf)
        const ours = messages.map((data) => (data.length > 4096 ? undefined : ourLines(data)))
        expect(ours).toEqual(theirs.map((lines) => lines?.map(shown)))
      },
    )

    test('64-bit integers', () => {
      const usual = numbers.filter((text) => !OVERLOOKED_MINUS.test(latin1(text)))
      const theirs = getSystemd().ask('u', usual).map(numberOf)
      expect(usual.map((text) => parseInteger(latin1(text)))).toEqual(theirs)
      expect(usual.map((text) => readInteger(text))).toEqual(theirs)
      expect(new Set(theirs).size).toBeGreaterThan(50)
    })

    test.each([
      ['p', 'MAINPID', 'mainPid'],
      ['8', 'EXIT_STATUS', 'exitStatus'],
      ['e', 'ERRNO', 'errno'],
    ] as const)('%s: %s=', (kind, key, property) => {
      const all = [...ERRNO_NAMES.map((name) => Buffer.from(name)), ...numbers, ...texts]
      const asked = all.filter(isValue).filter((text) => !OVERLOOKED_MINUS.test(latin1(text)))
      const theirs = getSystemd().ask(kind, asked).map(numberOf)
      const ours = asked.map((text) => said(key, text)?.[property])
      expect(ours).toEqual(
        theirs.map((number) => (number === undefined ? undefined : Number(number))),
      )
    })

    test('names of stored descriptors', () => {
      const asked = texts.filter(isValue)
      const theirs = getSystemd().ask('f', asked)
      const ours = asked.map((name) => {
        const data = Buffer.concat([Buffer.from('FDSTOREREMOVE=1\nFDNAME='), name])
        return assignmentsOf(data)?.fdName
      })
      expect(ours).toEqual(asked.map((name, at) => (theirs[at] ? latin1(name) : undefined)))
    })

    test('what is UTF-8', () => {
      const theirs = getSystemd()
        .ask('t', texts)
        .map((answer) => answer !== undefined)
      expect(texts.map((text) => isSystemdUtf8(text))).toEqual(theirs)
      const asked = texts.filter(isValue)
      const accepted = new Set(texts.filter((_, at) => theirs[at]))
      expect(asked.map((text) => said('STATUS', text)?.status)).toEqual(
        asked.map((text) => (accepted.has(text) ? text.toString() : '')),
      )
      expect(new Set(theirs).size).toBe(2)
    })

    test('NOTIFYACCESS=', () => {
      const asked = texts.filter(isValue)
      const theirs = getSystemd().ask('a', asked)
      const ours = asked.map((text) => said('NOTIFYACCESS', text)?.notifyAccess)
      expect(ours).toEqual(asked.map((text, at) => (theirs[at] ? latin1(text) : undefined)))
      expect(new Set(ours).size).toBe(5)
    })
  })
}

function assignmentsOf(data: Buffer): ParsedAssignments | undefined {
  const message = parseMessage(data)
  return 'rejected' in message ? undefined : message.assignments
}

function said(key: string, value: Buffer): ParsedAssignments | undefined {
  return assignmentsOf(Buffer.concat([Buffer.from(`${key}=`), value]))
}

function ourLines(data: Buffer): readonly string[] | undefined {
  const message = parseMessage(data)
  return 'rejected' in message ? undefined : message.lines
}

function linesOf(answer: Buffer | undefined): string[] | undefined {
  return answer === undefined ? undefined : latin1(answer).split('\0').slice(0, -1)
}

function numberOf(answer: Buffer | undefined): bigint | undefined {
  return answer === undefined ? undefined : BigInt(answer.toString())
}

// As parsed lines are shown.
function shown(line: string): string {
  return Buffer.from(line, 'latin1').toString()
}

function latin1(text: Buffer): string {
  return text.toString('latin1')
}

// What of a value the line splitter would not hand on as it is.
function isValue(text: Buffer): boolean {
  return !/[\r\n\\]/.test(latin1(text))
}

// The functions take C strings.
function withoutNul(text: Buffer): Buffer {
  return Buffer.from(text.filter((byte) => byte !== 0))
}
