import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { closeFd, pidfdId, pidfdOpen } from '@sdbridge/syscalls'
import { describe, expect, test } from 'vitest'
import { listenFds } from '../src/index.js'

type Answer = readonly string[] | 'invalid' | 'bad descriptor'
type Case = readonly [situation: string, env: Record<string, string>, answer: Answer]
type Result = { answer: Answer; left: string[] }

const NONE: Answer = []
const FIVE: Answer = Array<string>(5).fill('unknown')
const self = (LISTEN_FDS: string): Record<string, string> => ({ LISTEN_PID: 'SELF', LISTEN_FDS })
const named = (count: string, LISTEN_FDNAMES: string): Record<string, string> => ({
  ...self(count),
  LISTEN_FDNAMES,
})
const pid = (LISTEN_PID: string): Record<string, string> => ({ LISTEN_PID, LISTEN_FDS: '1' })

// In each case five descriptors are passed. What libsystemd says of these and thousands more: libsystemd/agreement.ts.
const CASES: Case[] = [
  ['nothing set', {}, NONE],
  ['LISTEN_PID unset', { LISTEN_FDS: '1' }, NONE],
  ['LISTEN_PID of another process', pid('1'), NONE],
  [
    'LISTEN_PID with a wrong LISTEN_FDS of another process',
    { LISTEN_PID: '1', LISTEN_FDS: 'x' },
    NONE,
  ],
  ['LISTEN_PID empty', pid(''), 'invalid'],
  ['LISTEN_PID not a number', pid('abc'), 'invalid'],
  ['LISTEN_PID 0', pid('0'), 'invalid'],
  ['LISTEN_PID minus 0', pid('-0'), 'invalid'],
  ['LISTEN_PID negative', pid('-5'), 'invalid'],
  ['LISTEN_PID with rubbish behind', pid('SELFx'), 'invalid'],
  ['LISTEN_PID with a space behind', pid('SELF '), 'invalid'],
  ['LISTEN_PID with a newline behind', pid('SELF\n'), 'invalid'],
  ['LISTEN_PID with a fraction', pid('SELF.0'), 'invalid'],
  ['LISTEN_PID with an exponent', pid('1e3'), 'invalid'],
  ['LISTEN_PID as a separated number', pid('1_000'), 'invalid'],
  ['LISTEN_PID over 31 bits', pid('2147483648'), 'invalid'],
  ['LISTEN_PID over 32 bits', pid('4294967297'), 'invalid'],
  ['LISTEN_PID over 64 bits', pid('18446744073709551617'), 'invalid'],
  ['LISTEN_PID at 31 bits', pid('2147483647'), NONE],
  ['LISTEN_PID with white space in front', pid(' \t\r\nSELF'), ['unknown']],
  ['LISTEN_PID with a plus', pid('+SELF'), ['unknown']],
  ['LISTEN_FDS unset', { LISTEN_PID: 'SELF' }, NONE],
  ['LISTEN_FDS unset, with a name', { LISTEN_PID: 'SELF', LISTEN_FDNAMES: 'a' }, NONE],
  ['LISTEN_FDS empty', self(''), 'invalid'],
  ['LISTEN_FDS 0', self('0'), 'invalid'],
  ['LISTEN_FDS negative', self('-1'), 'invalid'],
  ['LISTEN_FDS not a number', self('five'), 'invalid'],
  ['LISTEN_FDS with a space behind', self('5 '), 'invalid'],
  ['LISTEN_FDS white space only', self(' '), 'invalid'],
  ['LISTEN_FDS a lone sign', self('+'), 'invalid'],
  ['LISTEN_FDS two signs', self('+-1'), 'invalid'],
  ['LISTEN_FDS a sign and a space', self('+ 1'), 'invalid'],
  ['LISTEN_FDS at the end of its range', self('2147483644'), 'bad descriptor'],
  ['LISTEN_FDS over its range', self('2147483645'), 'invalid'],
  ['LISTEN_FDS over 32 bits', self('4294967297'), 'invalid'],
  ['LISTEN_FDS over 64 bits', self('18446744073709551617'), 'invalid'],
  ['LISTEN_FDS as many as passed', self('5'), FIVE],
  ['LISTEN_FDS more than passed', self('6'), 'bad descriptor'],
  ['LISTEN_FDS fewer than passed', self('4'), FIVE.slice(1) as Answer],
  ['LISTEN_FDS hexadecimal', self('0x5'), FIVE],
  ['LISTEN_FDS hexadecimal after a sign', self('+0X5'), FIVE],
  ['LISTEN_FDS hexadecimal without digits', self('0x'), 'invalid'],
  ['LISTEN_FDS octal', self('005'), FIVE],
  ['LISTEN_FDS octal with a wrong digit', self('08'), 'invalid'],
  ['LISTEN_FDS octal as in Python', self('0o5'), FIVE],
  ['LISTEN_FDS binary', self('0b101'), FIVE],
  ['LISTEN_FDS binary with a tab in front', self('\t0b101'), FIVE],
  ['LISTEN_FDS binary, a sign inside', self('0b+101'), FIVE],
  ['LISTEN_FDS binary, white space inside', self('0B 101'), FIVE],
  ['LISTEN_FDS binary with a wrong digit', self('0b5'), 'invalid'],
  ['LISTEN_FDS octal as in Python after a sign', self('+0o5'), 'invalid'],
  ['LISTEN_FDS with a vertical tab in front', self('\v5'), FIVE],
  ['LISTEN_FDS with a no-break space in front', self('\u00a05'), 'invalid'],
  ['LISTEN_FDS in Arabic digits', self('٥'), 'invalid'],
  ['as many names as descriptors', named('2', 'web:api'), ['web', 'api']],
  ['the same name twice', named('2', 'web:web'), ['web', 'web']],
  ['an empty LISTEN_FDNAMES is one empty name', named('1', ''), ['']],
  ['a lone colon is two empty names', named('2', ':'), ['', '']],
  ['an empty name inside', named('3', 'a::b'), ['a', '', 'b']],
  ['an empty name at the end', named('2', 'a:'), ['a', '']],
  ['an empty name at the start', named('2', ':a'), ['', 'a']],
  ['a backslash is taken off', named('1', 'a\\b'), ['ab']],
  ['an escaped colon separates nothing', named('1', 'a\\:b'), ['a:b']],
  ['an escaped backslash', named('1', 'a\\\\'), ['a\\']],
  ['quotes mean nothing', named('2', '"a:b\''), ['"a', "b'"]],
  ['white space in names', named('2', ' a : b'), [' a ', ' b']],
  ['a name outside ASCII', named('1', 'größe'), ['größe']],
  ['fewer names than descriptors', named('2', 'a'), 'invalid'],
  ['more names than descriptors', named('2', 'a:b:c'), 'invalid'],
  ['an escaped colon leaves too few names', named('2', 'a\\:b'), 'invalid'],
  ['a backslash at the end', named('1', 'a\\'), 'invalid'],
  [
    'a backslash at the end, for another process',
    { LISTEN_PID: '1', LISTEN_FDNAMES: '\\' },
    'invalid',
  ],
  ['a backslash at the end, for nobody', { LISTEN_FDNAMES: '\\' }, 'invalid'],
  [
    'wrong names for another process',
    { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'a:b' },
    NONE,
  ],
  ['a missing descriptor before a wrong number of names', named('6', 'a'), 'bad descriptor'],
]

// What libsystemd knows since version 259.
const id = (LISTEN_PIDFDID: string): Record<string, string> => ({ ...self('1'), LISTEN_PIDFDID })
const hasPidfdIds = ownPidfdId() !== undefined
const PIDFDID_CASES: Case[] = [
  ['LISTEN_PIDFDID of this process', id('OWN_ID'), ['unknown']],
  ['LISTEN_PIDFDID of an earlier process with this pid', id('1'), hasPidfdIds ? NONE : ['unknown']],
  ['LISTEN_PIDFDID empty', id(''), 'invalid'],
  ['LISTEN_PIDFDID not a number', id('abc'), 'invalid'],
  ['LISTEN_PIDFDID negative', id('-1'), 'invalid'],
  ['LISTEN_PIDFDID over 64 bits', id('18446744073709551616'), 'invalid'],
  ['LISTEN_PIDFDID at 64 bits', id('18446744073709551615'), hasPidfdIds ? NONE : ['unknown']],
  ['LISTEN_PIDFDID wrong, for another process', { ...id('x'), LISTEN_PID: '1' }, NONE],
  [
    'LISTEN_PIDFDID of another process, LISTEN_FDS wrong',
    { ...id('1'), LISTEN_FDS: 'x' },
    hasPidfdIds ? NONE : 'invalid',
  ],
]

const ALL_CASES = [...CASES, ...PIDFDID_CASES]

describe('an environment', () => {
  const results = answers(ALL_CASES)

  test.each(ALL_CASES.map((row, at) => [...row, results[at]!] as const))(
    '%s',
    (_situation, _env, answer, result) => {
      expect(result).toEqual({ answer, left: [] })
    },
  )
})

describe('the variables', () => {
  test('are removed, all four of them and nothing else', () => {
    const env = environment('a')
    listenFds({ env })
    expect(env).toEqual({ OTHER: 'kept' })
  })

  test('are removed after an error too', () => {
    const env = environment('\\')
    expect(() => listenFds({ env })).toThrow('ends in a backslash')
    expect(env).toEqual({ OTHER: 'kept' })
  })

  test('stay on request, after an error too', () => {
    for (const names of ['a', '\\']) {
      const env = environment(names)
      try {
        listenFds({ env, unsetEnvironment: false })
      } catch {
        // The environment is the point.
      }
      expect(env).toEqual(environment(names))
    }
  })

  test.each([
    [{ LISTEN_PID: 'x' }, 'LISTEN_PID', 'x', /^LISTEN_PID="x" is not a process id; .*must set it/],
    [
      { LISTEN_PID: '7', LISTEN_FDS: '0' },
      'LISTEN_FDS',
      '0',
      /^LISTEN_FDS="0" is not a number from 1 to 2147483644/,
    ],
    [
      { LISTEN_PID: '7', LISTEN_PIDFDID: '-' },
      'LISTEN_PIDFDID',
      '-',
      /^LISTEN_PIDFDID="-" is not a 64-bit number/,
    ],
    [
      { LISTEN_FDNAMES: 'a\\' },
      'LISTEN_FDNAMES',
      'a\\',
      /^LISTEN_FDNAMES="a\\\\" ends in a backslash/,
    ],
  ])('a wrong one is named with its value: %j', (env, variable, value, message) => {
    const code = 'ERR_LISTEN_FDS_INVALID_ENVIRONMENT'
    expect(() => listenFds({ env, pid: 7 })).toThrow(
      expect.objectContaining({
        name: 'ListenFdsError',
        code,
        variable,
        value,
        message: expect.stringMatching(message),
      }),
    )
  })
})

function environment(LISTEN_FDNAMES: string): NodeJS.ProcessEnv {
  return { LISTEN_PID: '1', LISTEN_PIDFDID: '2', LISTEN_FDS: '3', LISTEN_FDNAMES, OTHER: 'kept' }
}

function answers(cases: readonly Case[]): Result[] {
  const script = fileURLToPath(new URL('fixtures/cases.mjs', import.meta.url))
  const file = openSync('/dev/null', 'r')
  try {
    const output = execFileSync(process.execPath, [script], {
      input: JSON.stringify(cases.map(([, env]) => env)),
      stdio: ['pipe', 'pipe', 'inherit', ...Array<number>(5).fill(file)],
      encoding: 'utf8',
    })
    return JSON.parse(output) as Result[]
  } finally {
    closeSync(file)
  }
}

function ownPidfdId(): bigint | undefined {
  const pidfd = pidfdOpen(process.pid)
  try {
    return pidfdId(pidfd)
  } finally {
    closeFd(pidfd)
  }
}
