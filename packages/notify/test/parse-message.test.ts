import { describe, expect, test } from 'vitest'
import { parseInteger } from '../src/integer.js'
import { parseMessage, type AcceptedMessage } from '../src/parse-message.js'

function parse(message: string | Uint8Array): AcceptedMessage {
  const parsed = parseMessage(typeof message === 'string' ? Buffer.from(message) : message)
  if ('rejected' in parsed) throw new Error(parsed.rejected)
  return parsed
}

describe('lines', () => {
  test.each([
    ['LF', 'A=1\nB=2', ['A=1', 'B=2']],
    ['CR LF', 'A=1\r\nB=2\r\n', ['A=1', 'B=2']],
    ['CR alone', 'A=1\rB=2', ['A=1', 'B=2']],
    ['runs of both', '\n\rA=1\r\r\n\nB=2\r', ['A=1', 'B=2']],
    ['nothing but line breaks', '\n\r\n', []],
    ['an empty datagram', '', []],
    ['spaces, which stay', ' A=1 ', [' A=1 ']],
    ['quotes, which stay', '"A=1\n\'', ['"A=1', "'"]],
    ['an escaped letter', 'A=C:\\new', ['A=C:new']],
    ['an escaped backslash', 'A=\\\\', ['A=\\']],
    ['an escaped line break, which glues', 'A=a\\\nB=1', ['A=a\nB=1']],
    ['an escaped CR LF, of which only the CR glues', 'A=a\\\r\nB=1', ['A=a\r', 'B=1']],
    ['a lone backslash before the last line break', 'A=1\\\n', ['A=1\n']],
    ['an escaped line break alone', '\\\n', ['\n']],
    ['two escapes in a row', '\\\r\\\nA=1', ['\r\nA=1']],
    ['an escape in a key', 'RE\\ADY=1', ['READY=1']],
    ['one NUL at the end', 'A=1\0', ['A=1']],
    ['a NUL alone', '\0', []],
  ])('%s', (_, message, lines) => {
    expect(parse(message).lines).toEqual(lines)
  })

  test.each([
    ['embedded-nul', 'READY=1\0\0'],
    ['embedded-nul', '\0READY=1'],
    ['embedded-nul', 'READY=1\nSTATUS=a\0b'],
    ['trailing-backslash', 'READY=1\nSTATUS=a\\'],
    ['trailing-backslash', 'READY=1\nSTATUS=a\\\0'],
    ['trailing-backslash', '\\'],
    ['trailing-backslash', 'A=\\\\\\'],
  ])('%s rejects %j whole', (rejected, message) => {
    expect(parseMessage(Buffer.from(message))).toEqual({ rejected })
  })

  test('bytes that are not UTF-8 are shown as U+FFFD', () => {
    const { lines, unknown } = parse(Buffer.from([0x41, 0xff, 0x3d, 0xc3, 0xa9]))
    expect(lines).toEqual(['A\ufffd=é'])
    expect(unknown).toEqual(['A\ufffd=é'])
  })

  test('a view into a larger buffer', () => {
    const bytes = new Uint8Array(Buffer.from('xxREADY=1xx'))
    expect(parse(bytes.subarray(2, 9)).assignments).toEqual({ ready: true })
  })
})

describe('flags', () => {
  test.each(['READY=0', 'READY=yes', 'READY=1 ', ' READY=1', 'ready=1', 'READY', 'READY=', '=1'])(
    '%j is unknown, and no more',
    (line) => {
      expect(parse(line)).toEqual({ assignments: {}, lines: [line], unknown: [line], problems: [] })
    },
  )

  test('the exact one counts, wherever it is', () => {
    const message = 'READY=0\nREADY=1\nREADY=1\nRELOADING=1\nSTOPPING=1\nRESTART_RESET=1'
    expect(parse(message).assignments).toEqual({
      ready: true,
      reloading: true,
      stopping: true,
      restartReset: true,
    })
  })

  test('MAINPIDFD=1 and BARRIER=1, whose descriptors the receiver counts', () => {
    expect(parse('MAINPIDFD=1').assignments).toEqual({ mainPidFd: true })
    expect(parse('BARRIER=1')).toMatchObject({
      assignments: { barrier: true },
      lines: ['BARRIER=1'],
    })
    expect(parse('BARRIER=1\nfoo').lines).toHaveLength(2)
  })
})

describe('values', () => {
  test('the first one wins', () => {
    expect(parse('STATUS=one\nSTATUS=two\nWATCHDOG=trigger\nWATCHDOG=1')).toMatchObject({
      assignments: { status: 'one', watchdog: 'trigger' },
      problems: [],
    })
  })

  test('the first one wins even if it is wrong', () => {
    const { assignments, problems } = parse('WATCHDOG_USEC=x\nWATCHDOG_USEC=5')
    expect(assignments).toEqual({})
    expect(problems).toEqual([
      { assignment: 'WATCHDOG_USEC', value: 'x', reason: expect.stringContaining('integer') },
    ])
  })

  test.each<[string, bigint]>([
    ['8', 8n],
    ['010', 8n],
    ['00', 0n],
    ['0x10', 16n],
    ['0X1f', 31n],
    ['0b101', 5n],
    ['0B11', 3n],
    ['0o17', 15n],
    [' \t8', 8n],
    ['\v\f8', 8n],
    ['+8', 8n],
    ['+0x10', 16n],
    ['-0', 0n],
    ['0b +1', 1n],
    ['0o-0', 0n],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['0xffffffffffffffff', 2n ** 64n - 1n],
  ])('an integer, read as systemd 252 and 262 were seen to: %j', (text, watchdogUsec) => {
    expect(parse(`WATCHDOG_USEC=${text}`).assignments).toEqual({ watchdogUsec })
  })

  // prettier-ignore
  test.each([
    '', ' ', '-1', '08', '0x', '0xg', '0b', '0b2', '0o8', '8 ', '8\v', '8a', '1e7', '1_000', '8.0',
    '18446744073709551616', '0x10000000000000000', '-18446744073709551615', '- 1', '++1', '+0b1',
    '-0b0', '\v0b1', '0x-1', '0b0b1', '٣', '\u00a08', '\v-1', '0b -1',
  ])('no integer: %j', (text) => {
    expect(parseInteger(text)).toBeUndefined()
    const { assignments, problems } = parse(`WATCHDOG_USEC=${text}`)
    expect(assignments).toEqual({})
    expect(problems).toMatchObject([{ assignment: 'WATCHDOG_USEC', value: text }])
  })

  test.each([
    ['ERRNO=ENOENT', { errno: 2 }],
    ['ERRNO=enoent', { errno: 2 }],
    ['ERRNO=EUCLEAN', { errno: 117 }],
    ['ERRNO=010', { errno: 8 }],
    ['ERRNO=4095', { errno: 4095 }],
    ['ERRNO=0', { errno: 0 }],
    ['EXIT_STATUS=255', { exitStatus: 255 }],
    ['MAINPID=2147483647', { mainPid: 2147483647 }],
    ['MAINPID=5\nMAINPIDFDID=0', { mainPid: 5, mainPidFdId: 0n }],
    ['RELOADING=1\nMONOTONIC_USEC=7', { reloading: true, monotonicUsec: 7n }],
    ['EXTEND_TIMEOUT_USEC=1', { extendTimeoutUsec: 1n }],
    ['NOTIFYACCESS=exec', { notifyAccess: 'exec' }],
    ['BUSERROR=', { busError: '' }],
    ['VARLINKERROR=org.a b', { varlinkError: 'org.a b' }],
  ])('%j', (message, assignments) => {
    expect(parse(message)).toMatchObject({ assignments, problems: [], unknown: [] })
  })

  // prettier-ignore
  test.each([
    'ERRNO= ENOENT', 'ERRNO=4096', 'ERRNO=-2', 'ERRNO=', 'EXIT_STATUS=256', 'MAINPID=0',
    'MAINPID=2147483648', 'MAINPID=-1', 'NOTIFYACCESS=ALL', 'NOTIFYACCESS=exec ', 'WATCHDOG=0',
    'WATCHDOG=', 'BUSERROR=a"', 'BUSERROR=a*', 'BUSERROR=a\\\\b', 'VARLINKERROR=é',
    'EXTEND_TIMEOUT_USEC=0', 'EXTEND_TIMEOUT_USEC=18446744073709551615',
  ])('%j is a problem, and not in effect', (message) => {
    const { assignments, problems, unknown } = parse(message)
    expect(assignments).toEqual({})
    expect(problems).toMatchObject([{ assignment: message.split('=')[0] }])
    expect(unknown).toEqual([])
  })
})

describe('a status', () => {
  test('that is empty clears', () => {
    expect(parse('STATUS=')).toMatchObject({ assignments: { status: '' }, problems: [] })
  })

  test('in UTF-8, with control characters', () => {
    expect(parse('STATUS=é\u001b🚀\ufeff=').assignments.status).toBe('é\u001b🚀\ufeff=')
  })

  test.each([
    ['a stray byte', [0xff]],
    ['a character cut in half', [0xe2, 0x82]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['an overlong form', [0xc0, 0x80]],
    ['a noncharacter', [0xef, 0xbf, 0xbf]],
    ['another noncharacter', [0xef, 0xb7, 0x90]],
  ])('with %s is a problem, and cleared', (_, bytes) => {
    const { assignments, problems } = parse(
      Buffer.concat([Buffer.from('STATUS=a'), Buffer.from(bytes), Buffer.from('\nREADY=1')]),
    )
    expect(assignments).toEqual({ status: '', ready: true })
    expect(problems).toMatchObject([{ assignment: 'STATUS' }])
  })
})

describe('the descriptor store', () => {
  test.each([
    ['FDSTORE=1', { fdStore: true }],
    ['FDNAME=a\nFDSTORE=1', { fdStore: true, fdName: 'a' }],
    ['FDSTORE=1\nFDNAME=\nFDPOLL=0', { fdStore: true, fdName: '', fdPoll: false }],
    ['FDSTORE=1\nFDNAME=a\\\\b', { fdStore: true, fdName: 'a\\b' }],
    ['FDSTOREREMOVE=1\nFDNAME=a', { fdStoreRemove: true, fdName: 'a' }],
  ])('%j', (message, assignments) => {
    expect(parse(message)).toMatchObject({ assignments, problems: [] })
  })

  test.each(['a:b', 'é', 'a\u007f', 'x'.repeat(256)])(
    'a name that is not valid stores as "stored": %j',
    (name) => {
      const { assignments, problems } = parse(`FDNAME=${name}\nFDSTORE=1`)
      expect(assignments).toEqual({ fdStore: true, fdName: 'stored' })
      expect(problems).toMatchObject([{ assignment: 'FDNAME', value: name }])
    },
  )

  test('a name that is not valid removes nothing', () => {
    const { assignments, problems } = parse('FDSTOREREMOVE=1\nFDNAME=a:b')
    expect(assignments).toEqual({})
    expect(problems.map((problem) => problem.assignment)).toEqual(['FDNAME', 'FDSTOREREMOVE'])
  })

  test('removing wins over storing', () => {
    const { assignments, problems } = parse('FDSTORE=1\nFDSTOREREMOVE=1\nFDNAME=a')
    expect(assignments).toEqual({ fdStoreRemove: true, fdName: 'a' })
    expect(problems).toMatchObject([{ assignment: 'FDSTORE' }])
  })

  test('removing without a name still keeps from storing', () => {
    expect(parse('FDSTORE=1\nFDSTOREREMOVE=1').assignments).toEqual({})
  })
})

describe('assignments that need another one', () => {
  test('a MAINPID whose MAINPIDFDID is not valid is refused', () => {
    const { assignments, problems } = parse('MAINPID=5\nMAINPIDFDID=x\nREADY=1')
    expect(assignments).toEqual({ ready: true })
    expect(problems.map((problem) => problem.assignment)).toEqual(['MAINPIDFDID', 'MAINPID'])
  })

  test.each(['MONOTONIC_USEC=5', 'MAINPIDFDID=5', 'FDNAME=a', 'FDPOLL=0'])(
    '%s alone counts for nothing',
    (message) => {
      const [assignment, value] = message.split('=')
      const { assignments, problems } = parse(message)
      expect(assignments).toEqual({})
      expect(problems).toMatchObject([{ assignment, value }])
    },
  )
})

describe('assignments of somebody else', () => {
  test('X_ lines are extra and unknown, the first wins', () => {
    const { assignments, unknown } = parse('X_A=1\nX_A=2\nX_B=é\nFOO=1\nfoo\nX_C D=1')
    expect(assignments).toEqual({ extra: { X_A: '1', X_B: 'é' } })
    expect(unknown).toEqual(['X_A=1', 'X_A=2', 'X_B=é', 'FOO=1', 'foo', 'X_C D=1'])
  })

  test('names of Object.prototype are names like any other', () => {
    const { assignments, unknown } = parse('__proto__=1\nconstructor=1\nX___proto__=1')
    expect(unknown).toHaveLength(3)
    expect(Object.getPrototypeOf(assignments.extra)).toBeNull()
    expect(Object.keys(assignments)).toEqual(['extra'])
  })
})
