import { describe, expect, test } from 'vitest'
import { PYTHON, UNDER_SANITIZER, works } from '../../../test/support/real-program.js'
import { type Signal, SignalWatcher } from '../src/index.js'
import { fixture, run, runFixture } from './program.js'

describe.runIf(works(PYTHON, '--version') && works('/bin/kill', '--version'))(
  'a watcher of a real-time signal',
  () => {
    test.each([
      ['hears kill(1) and the kill of a shell', 'kill', 'caught 2\n'],
      ['hears a thousand that were queued, each once', 'sigqueue', 'caught all\n'],
      ['hears what came while JavaScript was busy', 'blocked', 'caught all\n'],
      ['is one of several, until it is closed', 'several', 'one,two,one\n'],
      ['is another one than a second with the same callback', 'same', '3\n'],
      ['that throws keeps nothing from the others', 'throws', 'a,b,a,b\n'],
      ['can be had again after its close', 'again', '50\n'],
      ['does not keep the process alive', 'alone', 'last line\n'],
      ['in a Worker is the only one, until the Worker ends', 'worker', 'caught in both\n'],
      ['survives Workers that end while signals come', 'workers flooded', 'alive\n'],
    ])('%s', async (_what, name, stdout) => {
      const outcome = await runFixture('signal-watcher.mjs', [name, PYTHON])
      expect(outcome).toEqual({ code: 0, signal: null, stdout, stderr: '' })
    })

    test('hears every one while memory is collected', async () => {
      const args = ['--expose-gc', fixture('signal-watcher.mjs'), 'load', PYTHON]
      const outcome = await run(process.execPath, args)
      expect(outcome).toEqual({ code: 0, signal: null, stdout: 'caught all\n', stderr: '' })
    })

    test.skipIf(UNDER_SANITIZER)('leaves children as they are', async () => {
      const { stdout } = await runFixture('signal-watcher.mjs', ['children'])
      const none = '0'.repeat(16)
      expect(stdout).toBe(`${none} ${none} ${none}\n`)
    })
  },
)

/** How a shell tells of it: Node knows no name for these signals. */
async function endOf(name: string): Promise<string> {
  const script = '"$@"; echo "ended by $(($? - 128))"'
  const args = [process.execPath, fixture('signal-watcher.mjs'), name]
  const { stdout } = await run('sh', ['-c', script, 'sh', ...args])
  return stdout
}

test.each([
  ['after the close of the last watcher', 'closed'],
  ['after the end of the Worker that caught it', 'worker ended'],
  ['that only process.on() listens to', 'node'],
])('a real-time signal %s ends the process', async (_when, name) => {
  expect(await endOf(name)).toBe('ended by 37\n')
})

test.each<Signal>(['SIGTERM', 'SIGCHLD', 'SIGKILL', 0, 1, 31, 32, 33])(
  'the signal %s is left to process.on()',
  (signal) => {
    expect(() => new SignalWatcher(signal, () => {})).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining('is no real-time signal; catch it with process.on()'),
      }),
    )
  },
)

test.each(['SIGRTMIN+31', 'RTMIN', 65, undefined])('%s is nothing to watch', (wrong) => {
  expect(() => new SignalWatcher(wrong as Signal, () => {})).toThrow(TypeError)
})
