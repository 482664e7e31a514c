import { constants } from 'node:os'
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { PYTHON, UNDER_SANITIZER, works } from '../../../test/support/real-program.js'
import { type Signal, signalName, signalNumber } from '../src/index.js'
import { python } from './program.js'

describe('the number of a signal', () => {
  test.each(Object.entries(constants.signals))('%s is %d', (name, number) => {
    expect(signalNumber(name as Signal)).toBe(number)
    expect(signalNumber(number)).toBe(number)
  })

  test.each<[Signal, number]>([
    ['SIGRTMIN', 34],
    ['SIGRTMIN+0', 34],
    ['SIGRTMIN+3', 37],
    ['SIGRTMIN+30', 64],
    ['SIGRTMAX', 64],
    ['SIGRTMAX-0', 64],
    ['SIGRTMAX-14', 50],
    ['SIGRTMAX-30', 34],
    [0, 0],
    [32, 32],
    [64, 64],
  ])('%s is %d', (signal, number) => {
    expect(signalNumber(signal)).toBe(number)
  })

  test.each([
    ...['SIGRTMIN+31', 'SIGRTMAX-31', 'SIGRTMIN-1', 'SIGRTMAX+1', 'SIGRTMIN+', 'SIGRTMIN+3x'],
    ...['SIGRTMIN+003', 'RTMIN+3', ' SIGRTMIN', 'SIGRTMIN\n', 'SIGRT', 'SIGRTMINSIGRTMAX'],
    ...['', 'SIGNONE', 'sigterm', 'TERM', '15', 'toString', '__proto__', 'constructor'],
    ...[-1, 65, 1.5, Number.NaN, Infinity, 2 ** 40, undefined, null, {}, true, 15n],
  ])('%s is none', (wrong) => {
    expect(() => signalNumber(wrong as Signal)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
    )
  })

  test.runIf(works(PYTHON, '--version'))('is what the C library counts from', () => {
    const range = python('import signal; print(int(signal.SIGRTMIN), int(signal.SIGRTMAX))')
    expect(range).toBe(`${signalNumber('SIGRTMIN')} ${signalNumber('SIGRTMAX')}`)
  })
})

describe('the name of a signal', () => {
  test.skipIf(UNDER_SANITIZER)('is the one that child_process gives it', () => {
    // All that end a program; the first of two names, as SIGABRT and SIGIOT.
    const fatal = [
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31,
    ]
    for (const number of fatal) {
      let signal: string | undefined
      try {
        execFileSync('sh', ['-c', `ulimit -c 0; kill -${number} $$`])
      } catch (error) {
        signal = (error as { signal: string }).signal
      }
      expect(signalName(number)).toBe(signal)
    }
  })

  test.each([
    [34, 'SIGRTMIN'],
    [37, 'SIGRTMIN+3'],
    [64, 'SIGRTMIN+30'],
    [15, 'SIGTERM'],
    [0, '0'],
    [32, '32'],
    [33, '33'],
    [65, '65'],
  ])('%d is %s', (number, name) => {
    expect(signalName(number)).toBe(name)
  })

  test('gives the number back', () => {
    const named = Array.from({ length: 64 }, (_, index) => index + 1).filter(
      (number) => !/^\d/.test(signalName(number)),
    )
    expect(named).toHaveLength(62)
    for (const number of named) expect(signalNumber(signalName(number) as Signal)).toBe(number)
  })
})
