import { expect, test } from 'vitest'
import { Random } from '../../../test/support/random.js'
import type { ParsedAssignments } from '../src/assignments.js'
import { encodeParsed } from '../src/encode-parsed.js'
import { parseMessage } from '../src/parse-message.js'
import { makeMessage } from './fuzz/make-message.js'

function read(data: Uint8Array): ParsedAssignments | undefined {
  const message = parseMessage(data)
  return 'rejected' in message ? undefined : message.assignments
}

test.each([
  ['a backslash that its sender escaped', 'STATUS=C:\\\\new\nREADY=1'],
  ['a line break that its sender escaped', 'STATUS=a\\\nREADY=1'],
  ['CR and LF that its sender escaped', 'X_A=a\\\r\\\nREADY=1'],
  ['a line break that its sender escaped, at the very end', 'READY=1\nX_A=a\\\n'],
  ['a name with a backslash', 'FDSTORE=1\nFDNAME=a\\\\b'],
])('%s: says the same again, byte for byte', (_what, text) => {
  const data = Buffer.from(text)
  expect(encodeParsed(read(data)!)).toEqual(data)
})

test('what is read of any message is read again of what it is encoded to, 20,000 times', () => {
  const random = new Random(6)
  let count = 0
  for (let round = 0; round < 20_000; round++) {
    const message = makeMessage(random)
    const assignments = read(message)
    if (assignments === undefined) continue
    const data = encodeParsed(assignments)
    expect(read(data)).toEqual(assignments)
    // The values of X_ keys are shown as text, where what is no UTF-8 takes more bytes.
    if (!JSON.stringify(assignments.extra ?? {}).includes('\ufffd')) {
      expect(data.length).toBeLessThanOrEqual(message.length + 'FDNAME=stored\n'.length)
    }
    count++
  }
  expect(count).toBeGreaterThan(10_000)
})

test.each([
  ['a number beyond its range', { mainPid: -1 }],
  ['a name that none can be', { fdName: 'a:b' }],
  ['what is no field', { unknown: true } as ParsedAssignments],
])('refuses %s', (_what, assignments) => {
  expect(() => encodeParsed(assignments)).toThrow(
    expect.objectContaining({ code: 'ERR_NOTIFY_VALUE_INVALID' }),
  )
})
