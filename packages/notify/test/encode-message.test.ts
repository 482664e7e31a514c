import { constants } from 'node:os'
import { describe, expect, test } from 'vitest'
import { errnoFromName } from '../src/errno-names.js'
import { encodeMessage } from '../src/encode-message.js'
import type { Assignments } from '../src/assignments.js'

const encode = (assignments: Assignments, fdCount = 0): string =>
  encodeMessage(assignments, fdCount).toString()

// For what the types forbid and JavaScript does not.
const encodeUntyped = (assignments: unknown): string => encode(assignments as Assignments)

describe('lines', () => {
  test('properties come in the order in which they were given', () => {
    expect(encode({ ready: true, status: 'up' })).toBe('READY=1\nSTATUS=up')
    expect(encode({ status: 'up', ready: true })).toBe('STATUS=up\nREADY=1')
  })

  test('every assignment has its line', () => {
    expect(
      encode(
        {
          ready: true,
          reloading: true,
          monotonicUsec: 5n,
          stopping: true,
          status: 'x',
          notifyAccess: 'all',
          errno: 2,
          busError: 'org.example.Failed',
          varlinkError: 'org.example.Failed',
          exitStatus: 3,
          mainPid: 4711,
          mainPidFdId: 2n ** 64n - 1n,
          watchdog: true,
          watchdogUsec: 2_000_000,
          extendTimeoutUsec: 1,
          fdStore: true,
          fdName: 'db',
          fdPoll: false,
          restartReset: true,
          extra: { X_FOO_BAR: 'baz', X_2: '' },
        },
        1,
      ).split('\n'),
    ).toEqual([
      'READY=1',
      'RELOADING=1',
      'MONOTONIC_USEC=5',
      'STOPPING=1',
      'STATUS=x',
      'NOTIFYACCESS=all',
      'ERRNO=2',
      'BUSERROR=org.example.Failed',
      'VARLINKERROR=org.example.Failed',
      'EXIT_STATUS=3',
      'MAINPID=4711',
      'MAINPIDFDID=18446744073709551615',
      'WATCHDOG=1',
      'WATCHDOG_USEC=2000000',
      'EXTEND_TIMEOUT_USEC=1',
      'FDSTORE=1',
      'FDNAME=db',
      'FDPOLL=0',
      'RESTART_RESET=1',
      'X_FOO_BAR=baz',
      'X_2=',
    ])
    expect(encode({ fdStoreRemove: true, fdName: '' })).toBe('FDSTOREREMOVE=1\nFDNAME=')
    expect(encode({ mainPid: 7, mainPidFd: true }, 1)).toBe('MAINPID=7\nMAINPIDFD=1')
  })

  test('a barrier is nine bytes', () => {
    expect(encodeMessage({ barrier: true }, 1)).toEqual(Buffer.from('BARRIER=1'))
    expect(encodeMessage({ barrier: true }, 1)).toHaveLength(9)
  })

  test('undefined properties are left out', () => {
    expect(encode({ ready: undefined, status: 'x', extra: undefined })).toBe('STATUS=x')
  })

  test('a ping with and without its shortcut', () => {
    expect(encode({ watchdog: true })).toBe('WATCHDOG=1')
    expect(encode({ watchdog: true, status: undefined })).toBe('WATCHDOG=1')
    expect(encode({ watchdog: 'trigger' })).toBe('WATCHDOG=trigger')
    expect(() => encode({ watchdog: true }, 1)).toThrow(/descriptors need/)
  })

  test('a caller who writes into one ping does not change the next', () => {
    encodeMessage({ watchdog: true }, 0).fill(0)
    expect(encode({ watchdog: true })).toBe('WATCHDOG=1')
  })
})

describe('a status', () => {
  test.each([
    ['that would send a second assignment', 'ok\nMAINPID=1', 'ok MAINPID=1'],
    ['with a carriage return, which separates too', 'ok\rWATCHDOG=trigger', 'ok WATCHDOG=trigger'],
    ['with an empty line', 'one\r\n\n\rtwo', 'one two'],
    ['with line breaks at both ends', '\r\n done\n\n', ' done'],
    ['of nothing but line breaks', '\n\r\n', ''],
    ['with backslashes', 'C:\\new\\', 'C:\u29f5new\u29f5'],
    ['with a backslash before a line break, which would glue', 'a\\\nREADY=1', 'a\u29f5 READY=1'],
    ['with a tab', 'a\tb\vc\fd', 'a b c d'],
    ['with a terminal escape sequence', '\u001b[31mred', '\ufffd[31mred'],
    ['with NUL, DEL and C1 controls', '\0a\u007fb\u009bc', '\ufffda\ufffdb\ufffdc'],
    ['with lone surrogates', 'a\ud800b\udc00', 'a\ufffdb\ufffd'],
    ['with noncharacters, which clear it', 'a\uffffb\ufdd0c\u{1fffe}', 'a\ufffdb\ufffdc\ufffd'],
    ['beyond ASCII', 'Grüße 🚀 ⧵ "quoted" \'too\' =', 'Grüße 🚀 ⧵ "quoted" \'too\' ='],
    ['that is empty', '', ''],
  ])('%s', (_, status, onTheWire) => {
    expect(encode({ status })).toBe(`STATUS=${onTheWire}`)
  })

  test('a message of 4096 bytes goes as it is', () => {
    const status = 'x'.repeat(4096 - 'STATUS='.length)
    expect(encode({ status })).toBe(`STATUS=${status}`)
  })

  test('a message of 4097 bytes has its status shortened', () => {
    const message = encode({ status: 'x'.repeat(4097 - 'STATUS='.length) })
    expect(message).toBe(`STATUS=${'x'.repeat(4096 - 'STATUS='.length - 3)}…`)
    expect(Buffer.byteLength(message)).toBe(4096)
  })

  test.each(['ä', '€', '🚀', 'x'])('is cut between two characters: %s', (character) => {
    for (const offset of [0, 1, 2, 3]) {
      const message = encodeMessage({ status: 'x'.repeat(offset) + character.repeat(5000) }, 0)
      expect(message.length).toBeLessThanOrEqual(4096)
      expect(message.length).toBeGreaterThan(4096 - 4)
      expect(message.toString()).toMatch(new RegExp(`^STATUS=x{${offset}}(${character})+…$`, 'u'))
    }
  })

  test('no other assignment is lost to a long status', () => {
    const status = '🚀'.repeat(5000)
    const extra = { X_DATA: 'y'.repeat(3000) }
    const lines = encode({ ready: true, status, mainPid: 5, extra }).split('\n')
    expect(lines.map((line) => line.slice(0, 8))).toEqual([
      'READY=1',
      'STATUS=🚀'.slice(0, 8),
      'MAINPID=',
      'X_DATA=y',
    ])
    expect(lines[3]).toBe(`X_DATA=${extra.X_DATA}`)
    expect(Buffer.byteLength(lines.join('\n'))).toBeLessThanOrEqual(4096)
  })

  test('a line break that becomes a space is counted as it is sent', () => {
    const message = encode({ status: `${'\r\n'.repeat(4000)}x${'\n'.repeat(9000)}y` })
    expect(message).toBe('STATUS=x y')
  })
})

describe('a message that is too long without its status', () => {
  test('is refused, with its size and the limit', () => {
    const extra = { X_DATA: 'y'.repeat(4096) }
    const tooLong = { code: 'ERR_NOTIFY_MESSAGE_TOO_LONG', name: 'NotifyError' }
    expect(() => encode({ extra })).toThrow(
      expect.objectContaining({ ...tooLong, message: expect.stringMatching(/4103 .* 4096/) }),
    )
    expect(() => encode({ extra, status: 'short' })).toThrow(expect.objectContaining(tooLong))
  })

  test('a message of exactly 4096 bytes is sent', () => {
    expect(encode({ extra: { X_DATA: 'y'.repeat(4096 - 7) } })).toHaveLength(4096)
  })
})

describe('numbers', () => {
  test.each<[Assignments, string]>([
    [{ watchdogUsec: 1e7 }, 'WATCHDOG_USEC=10000000'],
    [{ watchdogUsec: Number.MAX_SAFE_INTEGER }, 'WATCHDOG_USEC=9007199254740991'],
    [{ watchdogUsec: 2n ** 64n - 1n }, 'WATCHDOG_USEC=18446744073709551615'],
    [{ watchdogUsec: 'infinity' }, 'WATCHDOG_USEC=18446744073709551615'],
    [{ watchdogUsec: 0 }, 'WATCHDOG_USEC=0'],
    [{ watchdogUsec: -0 }, 'WATCHDOG_USEC=0'],
    [{ mainPid: 2 ** 31 - 1 }, 'MAINPID=2147483647'],
    [{ exitStatus: 0 }, 'EXIT_STATUS=0'],
    [{ extendTimeoutUsec: 2n ** 64n - 2n }, 'EXTEND_TIMEOUT_USEC=18446744073709551614'],
  ])('%o is plain decimal', (assignments, line) => {
    expect(encode(assignments)).toBe(line)
  })

  test.each<[string, Assignments]>([
    ['WATCHDOG_USEC', { watchdogUsec: 1e21 }],
    ['WATCHDOG_USEC', { watchdogUsec: 1.5 }],
    ['WATCHDOG_USEC', { watchdogUsec: -1 }],
    ['WATCHDOG_USEC', { watchdogUsec: NaN }],
    ['WATCHDOG_USEC', { watchdogUsec: Infinity }],
    ['WATCHDOG_USEC', { watchdogUsec: 2n ** 64n }],
    ['WATCHDOG_USEC', { watchdogUsec: -1n }],
    ['WATCHDOG_USEC', { watchdogUsec: '5' as 'infinity' }],
    ['EXTEND_TIMEOUT_USEC', { extendTimeoutUsec: 0 }],
    ['EXTEND_TIMEOUT_USEC', { extendTimeoutUsec: 2n ** 64n - 1n }],
    ['EXIT_STATUS', { exitStatus: 256 }],
    ['MAINPID', { mainPid: 0 }],
    ['MAINPID', { mainPid: 2 ** 31 }],
    ['ERRNO', { errno: 4096 }],
  ])('%s refuses %o', (assignment, assignments) => {
    expect(() => encode(assignments)).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_VALUE_INVALID', assignment }),
    )
  })
})

describe('an errno', () => {
  test.each([
    ['its number', 2, 2],
    ["Node's negated number", -2, 2],
    ['none', 0, 0],
    ['its name', 'ENOENT', 2],
    ['its name in any case', 'enoent', 2],
    ['a name that Node does not know', 'EUCLEAN', 117],
    ['an Error with errno', Object.assign(new Error('x'), { errno: -111, code: 'EPERM' }), 111],
    ['an Error with code', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 111],
  ])('from %s', (_, errno, number) => {
    expect(encode({ errno })).toBe(`ERRNO=${number}`)
  })

  test.each([
    ['an Error with neither', new Error('x')],
    ['an Error with a code that is no errno', Object.assign(new Error('x'), { code: 'ERR_X' })],
    ['an unknown name', 'EWHATEVER'],
    ['a name that only Unicode makes upper case', 'acceſs'],
    ['an empty name', ''],
    ['a fraction', 1.5],
  ])('refused: %s', (_, errno) => {
    expect(() => encode({ errno })).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_VALUE_INVALID', assignment: 'ERRNO' }),
    )
  })

  test.skipIf(process.platform !== 'linux')("Node's own names have the same numbers", () => {
    for (const [name, number] of Object.entries(constants.errno)) {
      expect([name, errnoFromName(name)]).toEqual([name, number])
    }
  })
})

describe('structured text', () => {
  test.each([
    ['busError', 'BUSERROR', 'a\nREADY=1'],
    ['busError', 'BUSERROR', 'a\0'],
    ['busError', 'BUSERROR', 'a"b'],
    ['busError', 'BUSERROR', "a'b"],
    ['busError', 'BUSERROR', 'a\\b'],
    ['busError', 'BUSERROR', 'a*b'],
    ['busError', 'BUSERROR', 'a?b'],
    ['busError', 'BUSERROR', 'a[b'],
    ['busError', 'BUSERROR', 'é'],
    ['varlinkError', 'VARLINKERROR', 'a\rb'],
    ['fdName', 'FDNAME', 'a:b'],
    ['fdName', 'FDNAME', 'a\\b'],
    ['fdName', 'FDNAME', 'a\n'],
    ['fdName', 'FDNAME', 'a\u007f'],
    ['fdName', 'FDNAME', 'é'],
    ['fdName', 'FDNAME', 'x'.repeat(256)],
  ])('%s refuses, as %s, %j', (property, assignment, value) => {
    const assignments = { fdStore: true, [property]: value }
    expect(() => encodeMessage(assignments as Assignments, 1)).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_VALUE_INVALID', assignment, value }),
    )
  })

  test('an error name may be empty, which clears it, and hold a space', () => {
    expect(encode({ busError: '', varlinkError: 'a b]~!' })).toBe('BUSERROR=\nVARLINKERROR=a b]~!')
  })

  test('a descriptor name of 255 characters', () => {
    const fdName = ' 9;[]~'.padEnd(255, 'x')
    expect(encode({ fdStore: true, fdName }, 1)).toBe(`FDSTORE=1\nFDNAME=${fdName}`)
  })

  test('an extra value keeps its backslashes, as they are doubled', () => {
    expect(encode({ extra: { X_PATH: 'C:\\new\\' } })).toBe('X_PATH=C:\\\\new\\\\')
  })

  test.each([
    ['X_A', 'a\nREADY=1'],
    ['X_A', 'a\rb'],
    ['X_A', 'a\0'],
    ['X_A', 'a\ud800'],
    ['READY', '1'],
    ['X_', '1'],
    ['X_A=1\nREADY', '1'],
    ['X_A B', '1'],
    ['x_a', '1'],
  ])('extra refuses %j: %j', (key, value) => {
    expect(() => encodeUntyped({ extra: { [key]: value } })).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_VALUE_INVALID', assignment: key }),
    )
  })
})

describe('what does not go together', () => {
  test.each<[string, Assignments, number]>([
    ['nothing', {}, 0],
    ['nothing but undefined', { status: undefined }, 0],
    ['an empty extra', { extra: {} }, 0],
    ['a barrier beside a status', { barrier: true, status: 'x' }, 1],
    ['a barrier beside an extra', { barrier: true, extra: { X_A: '1' } }, 1],
    ['a barrier without its descriptor', { barrier: true }, 0],
    ['a barrier with two descriptors', { barrier: true }, 2],
    ['a descriptor for nothing', { ready: true }, 1],
    ['a descriptor to remove', { fdStoreRemove: true, fdName: 'x' }, 1],
    ['storing no descriptor', { fdStore: true }, 0],
    ['storing the pidfd', { fdStore: true, mainPidFd: true }, 1],
    ['no pidfd', { mainPidFd: true }, 0],
    ['two pidfds', { mainPidFd: true }, 2],
    ['a pidfd id without a pid', { mainPidFdId: 5n }, 0],
    ['removing without a name', { fdStoreRemove: true }, 0],
    ['removing and storing', { fdStoreRemove: true, fdStore: true, fdName: 'x' }, 1],
    ['a name for nothing', { fdName: 'x' }, 0],
    ['a name for a pidfd', { fdName: 'x', mainPidFd: true }, 1],
    ['FDPOLL=0 for nothing', { fdPoll: false }, 0],
    ['FDPOLL=0 while removing', { fdStoreRemove: true, fdName: 'x', fdPoll: false }, 0],
    ['254 descriptors', { fdStore: true }, 254],
    ['a time stamp without a reload', { monotonicUsec: 5, ready: true }, 0],
  ])('%s', (_, assignments, fdCount) => {
    expect(() => encodeMessage(assignments, fdCount)).toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_VALUE_INVALID', name: 'NotifyError' }),
    )
  })

  test('nothing to send says so', () => {
    expect(() => encode({})).toThrow('nothing to send')
  })

  test('253 descriptors are sent', () => {
    expect(encode({ fdStore: true }, 253)).toBe('FDSTORE=1')
  })
})

describe('wrong arguments', () => {
  test.each([
    ['ERR_INVALID_ARG_TYPE', /"status".*string.*number \(5\)/, { status: 5 }],
    ['ERR_INVALID_ARG_TYPE', /"status".*null/, { status: null }],
    ['ERR_INVALID_ARG_TYPE', /"ready".*'yes'/, { ready: 'yes' }],
    ['ERR_INVALID_ARG_TYPE', /"mainPid".*'1'/, { mainPid: '1' }],
    ['ERR_INVALID_ARG_TYPE', /"errno".*null/, { errno: null }],
    ['ERR_INVALID_ARG_TYPE', /"extra"/, { extra: 'X_A=1' }],
    ['ERR_INVALID_ARG_TYPE', /"extra.X_A".*5/, { extra: { X_A: 5 } }],
    ['ERR_INVALID_ARG_TYPE', /"assignments"/, null],
    ['ERR_INVALID_ARG_TYPE', /"assignments"/, 'READY=1'],
    ['ERR_INVALID_ARG_VALUE', /'redy' is no assignment/, { redy: true }],
    ['ERR_INVALID_ARG_VALUE', /'__proto__'/, JSON.parse('{"__proto__":1}')],
    ['ERR_INVALID_ARG_VALUE', /'toString'/, { toString: true }],
    ['ERR_INVALID_ARG_VALUE', /"ready" must be true or left out.*false/, { ready: false }],
    ['ERR_INVALID_ARG_VALUE', /"fdPoll" must be false or left out.*true/, { fdPoll: true }],
    ['ERR_INVALID_ARG_VALUE', /"watchdog"/, { watchdog: false }],
    ['ERR_INVALID_ARG_VALUE', /"notifyAccess".*'none'.*'some'/, { notifyAccess: 'some' }],
  ])('%s, %s', (code, message, assignments) => {
    expect(() => encodeUntyped(assignments)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code,
        message: expect.stringMatching(message),
      }),
    )
  })
})
