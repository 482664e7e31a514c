import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { getFileLimit, RECORD_START_STATE, type StartState, startState } from '../src/index.js'
import { signalSet, signalsIn } from '../src/start-state.js'
import { fixture, run } from './program.js'

const SHELLS: [string, ...string[]][] = [['sh'], ['bash', '--posix'], ['busybox', 'sh']]
const INSTALLED = SHELLS.filter((shell) => works(...shell, '-c', 'true'))

// bash takes a socket as its input for a login from far away, and reads the files of its user.
const ENV = { PATH: process.env['PATH'], HOME: '/nonexistent' }

const NODE = [process.execPath, fixture('start-state.mjs')]

/** Sets what the shell will be started with, and becomes it: ignored and blocked signals, comma-separated. */
const START = `
import os, signal, sys
ignored, blocked = (set(map(int, filter(None, each.split(',')))) for each in sys.argv[1:3])
for each in set(range(1, 65)) - {9, 19, 32, 33}:
    signal.signal(each, signal.SIG_IGN if each in ignored else signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
os.execvp(sys.argv[3], sys.argv[3:])
`

interface Started {
  state: StartState
  args: string[]
}

describe.each(INSTALLED.map((shell) => [shell.join(' '), shell] as const))(
  'a start recorded by %s',
  (_name, shell) => {
    async function started(script: string, ...args: string[]): Promise<Started> {
      const command = ['-c', script, 'sh', ...NODE, ...args]
      const outcome = await run(shell[0], [...shell.slice(1), ...command])
      expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
      return JSON.parse(outcome.stdout) as Started
    }

    test('tells of the soft limit and of ignored signals', async () => {
      const script = `ulimit -S -n 321\ntrap '' PIPE HUP\n${RECORD_START_STATE}exec "$@"`
      expect((await started(script)).state).toEqual({
        softFileLimit: 321,
        ignoredSignals: [1, 13],
        blockedSignals: [],
        recorded: true,
      })
    })

    test('tells of nothing where nothing was changed', async () => {
      const script = `ulimit -S -n 1024\n${RECORD_START_STATE}exec "$@"`
      const { state } = await started(script)
      expect(state).toEqual({
        softFileLimit: 1024,
        ignoredSignals: [],
        blockedSignals: [],
        recorded: true,
      })
    })

    test('passes arguments on, under set -eu, and with every way to split words', async () => {
      const script = `set -eu\nIFS=:0S\n${RECORD_START_STATE}trap '' USR1\nexec "$@"`
      const args = ['', 'two words', '*', "'", '0:S']
      const outcome = await started(script, ...args)
      expect(outcome).toMatchObject({ args, state: { recorded: true, ignoredSignals: [] } })
    })

    test('leaves the variables of the script and of its environment alone', () => {
      const look = (before: string): string => {
        const input = `${before}set; echo "$*"; export -p`
        const env = { ...ENV, key: '1', value: '2', rest: '3', line: '4' }
        const args = [...shell.slice(1), '-s', 'one', 'two']
        return execFileSync(shell[0], args, { encoding: 'utf8', env, input })
      }
      // What differs with each process, or call.
      const stable = (output: string): string[] =>
        output
          .split('\n')
          .filter((line) => !/^(PPID|BASHPID|_|RANDOM|SRANDOM|PIPESTATUS)=/.test(line))
      const recorded = stable(look(RECORD_START_STATE))
      const added = recorded.filter((line) => line.includes('SDBRIDGE'))
      expect(added.length).toBe(2)
      expect(added.every((line) => line.includes('SDBRIDGE_START_STATE='))).toBe(true)
      expect(recorded.filter((line) => !added.includes(line))).toEqual(stable(look('')))
    })

    test('starts no other program', () => {
      const script = `${RECORD_START_STATE}echo "$SDBRIDGE_START_STATE"`
      const options = { encoding: 'utf8', env: { ...ENV, PATH: '/nonexistent' } } as const
      const file = execFileSync('sh', ['-c', `command -v ${shell[0]}`], { encoding: 'utf8' }).trim()
      const output = execFileSync(file, [...shell.slice(1), '-c', script], options)
      expect(output).toMatch(/^\d+ \d+ [\da-f]{16} [\da-f]{16}\n$/)
    })

    test('does not count for a child of the process that was recorded', async () => {
      const script = `ulimit -S -n 321\n${RECORD_START_STATE}"$@"; exit`
      const { state } = await started(script)
      expect(state).toMatchObject({ softFileLimit: 1024, recorded: false })
    })

    test.runIf(works(PYTHON, '--version')).each([
      ['real-time signals', [34, 40, 64], [34, 35, 64]],
      ['others', [1, 2, 3, 13, 25], [2, 13, 17, 28]],
    ])(
      'tells of %s that were ignored or blocked for the shell',
      async (_what, ignored, blocked) => {
        const startedWith = async (script: string): Promise<string> => {
          const command = [...shell, '-c', script, 'sh', ...NODE]
          const outcome = await run(PYTHON, [
            '-c',
            START,
            ignored.join(),
            blocked.join(),
            ...command,
          ])
          expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
          return outcome.stdout
        }
        const seen = await startedWith('exec cat /proc/self/status')
        const [blk, ign] = ['SigBlk', 'SigIgn'].map((set) => {
          return signalsIn(BigInt(`0x${new RegExp(`^${set}:\\t(.*)$`, 'm').exec(seen)![1]}`))
        })
        expect(ign).toEqual(ignored)
        // bash unblocks SIGCHLD, for itself and for what it becomes.
        expect(new Set([...blk!, 17])).toEqual(new Set([...blocked, 17]))

        const { state } = JSON.parse(await startedWith(`${RECORD_START_STATE}exec "$@"`)) as Started
        expect(state).toMatchObject({ ignoredSignals: ign, blockedSignals: blk })
      },
    )
  },
)

describe('a record', () => {
  const sets = '0000000000000001 8000000000001000'
  const state = (record: string): StartState => startState({ SDBRIDGE_START_STATE: record })

  test('of this process counts', () => {
    expect(state(`${process.pid} 99 ${sets}`)).toEqual({
      softFileLimit: 99,
      blockedSignals: [1],
      ignoredSignals: [13, 64],
      recorded: true,
    })
  })

  test('without a limit means no limit', () => {
    expect(state(`${process.pid} unlimited ${sets}`).softFileLimit).toBe(Infinity)
  })

  test.each([
    ['of another process', `${process.ppid} 99 ${sets}`],
    ['that is empty', ''],
    ['without sets', `${process.pid} 99`],
    ['with one set', `${process.pid} 99 0000000000000000`],
    ['with a third set', `${process.pid} 99 ${sets} 0000000000000000`],
    ['with sets that are too short', `${process.pid} 99 0 0`],
    ['with sets that are no numbers', `${process.pid} 99 000000000000000g 0000000000000000`],
    ['with a limit below zero', `${process.pid} -1 ${sets}`],
    ['with a limit that is no number', `${process.pid} many ${sets}`],
    ['with a limit that no kernel has', `${process.pid} 99999999999999999999 ${sets}`],
    ['with a line after it', `${process.pid} 99 ${sets}\n`],
  ])('%s does not', (_which, record) => {
    expect(state(record)).toEqual({
      softFileLimit: Math.min(1024, getFileLimit().hard),
      ignoredSignals: [],
      blockedSignals: [],
      recorded: false,
    })
  })

  test('is looked for in the environment of this process', () => {
    expect(startState().recorded).toBe(false)
    process.env['SDBRIDGE_START_STATE'] = `${process.pid} 99 ${sets}`
    expect(startState()).toMatchObject({ recorded: true, softFileLimit: 99 })
    delete process.env['SDBRIDGE_START_STATE']
  })
})

test('every signal has its bit in the kernel’s form of a set', () => {
  const all = Array.from({ length: 64 }, (_, index) => index + 1)
  for (const signal of all) expect(signalSet([signal])).toBe(2n ** BigInt(signal - 1))
  expect(signalsIn(signalSet(all))).toEqual(all)
  expect(signalSet(all)).toBe(2n ** 64n - 1n)
  expect(signalSet([])).toBe(0n)
  expect(signalsIn(0n)).toEqual([])
})

test.each([0, 65, -1, 1.5, Number.NaN])('%s is in no set of signals', (signal) => {
  expect(() => signalSet([signal])).toThrow(TypeError)
})
