import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Random } from '../../../test/support/random.js'
import { works } from '../../../test/support/real-program.js'
import { parseRuntimeCall } from '../dist/wrapper/runtime-call.js'
import { LowLevel } from './wrapper/low-level.js'

const VERBS = ['create', 'create', 'run', 'restore', 'state']
// Without what the launcher does not read as crun does, abbreviations such as `--b`.
const WORDS = [
  ...[...VERBS, 'web', 'asks', 'plain', ''],
  ...['--bundle', '--bundle=asks', '--bundle=', '-b', '-basks', '-b=asks', '-bundle', '--pid-file'],
  ...['--config', '--config=asks/config.json', '-f', '-fasks/config.json'],
  ...['--root', '--root=asks', '-root', '--log', '--log-format=json', '--debug', '--debug=true'],
  ...['--new', '--new=asks', '-n', '-nasks', '-d', '--detach'],
]

describe.skipIf(!works('cc', '--version'))('the launcher reads a command line', () => {
  describe.each(['runc', 'crun'] as const)('of %s', (name) => {
    const SAME: [args: string[], asks: boolean][] = [
      [['create', '--bundle', 'asks', 'web'], true],
      [['create', '--bundle=asks', 'web'], true],
      [['run', '-b', 'asks', 'web'], true],
      [['restore', '--bundle', 'asks', 'web'], true],
      [['--root', 'create', 'create', '--bundle', 'asks', 'web'], true],
      [['--root', 'create', 'start', '--bundle', 'asks', 'web'], false],
      [['--log=x', '--log-format', 'json', 'create', '--bundle', 'asks', 'web'], true],
      [['--systemd-cgroup', 'create', '--bundle', 'asks', 'web'], true],
      [['--', 'create', '--bundle', 'asks', 'web'], true],
      [['create', '--bundle', 'asks', '--bundle', 'plain', 'web'], false],
      [['create', '--pid-file', '--bundle', 'asks'], false],
      [['create', '--bundle', 'asks', '--', 'web'], true],
      [['create', '--', '--bundle', 'asks'], false],
      [['create', '--bundle', 'asks/../plain', 'web'], false],
      [['exec', 'create', '--bundle', 'asks'], false],
      [['--new', 'value', 'create', '--bundle', 'asks', 'web'], true],
    ]
    const OWN: Record<typeof name, [args: string[], asks: boolean][]> = {
      runc: [
        [['create', 'web', '--bundle', 'asks'], true],
        [['create', '-bundle', 'asks', 'web'], true],
        [['-root', '/r', 'create', '-b=asks', 'web'], true],
        [['create', '-f', 'asks/config.json', 'web'], false],
      ],
      crun: [
        [['create', 'web', '--bundle', 'asks'], false],
        [['create', '-basks', 'web'], true],
        [['create', '-f', 'asks/config.json', 'web'], true],
        [['create', '--config=asks/config.json', '--bundle', 'plain', 'web'], true],
        [['create', '-fplain/config.json', '--bundle', 'asks', 'web'], false],
        [['--cgroup-manager', 'run', 'create', '-b', 'asks', 'web'], true],
      ],
    }

    test.each([...SAME, ...OWN[name]])('%j: %s', (args, asks) => {
      const runtime = tellingRuntime(name)
      expect(isAsking(runtime, args)).toBe(asks)
      expect(wouldAsk(runtime, args)).toBe(asks)
    })

    test('as sdbridge does, whatever it is', () => {
      const runtime = tellingRuntime(name)
      const random = new Random(8)
      let count = 0
      for (let attempt = 0; attempt < 400; attempt += 1) {
        const args = randomWords(random)
        const asks = wouldAsk(runtime, args)
        if (asks) count += 1
        expect([args, isAsking(runtime, args)]).toEqual([args, asks])
      }
      expect(count).toBeGreaterThan(10)
    }, 120_000)
  })
})

/** It says whether sdbridge was started. */
function tellingRuntime(name: 'runc' | 'crun'): LowLevel {
  const runtime = new LowLevel(name, { node: '/bin/echo', sdbridge: 'sdbridge' })
  runtime.bundle('asks', { annotations: { 'io.sdbridge.descriptors': 'x' } })
  runtime.bundle('plain', {})
  return runtime
}

function isAsking({ launcher, directory }: LowLevel, args: string[]): boolean {
  const output = execFileSync(launcher, args, { cwd: directory, encoding: 'utf8' })
  return output.startsWith('sdbridge runtime --low-level ')
}

function wouldAsk({ path, directory }: LowLevel, args: string[]): boolean {
  const { verb, bundle, config } = parseRuntimeCall(path, args)
  if (!['create', 'run', 'restore'].includes(verb ?? '')) return false
  const file = join(directory, config ?? join(bundle, 'config.json'))
  const isFile = statSync(file, { throwIfNoEntry: false })?.isFile() === true
  return isFile && readFileSync(file, 'utf8').includes('io.sdbridge')
}

function randomWords(random: Random): string[] {
  const some = (most: number, from: string[]): string[] =>
    Array.from({ length: random.below(most + 1) }, () => random.pick(from))
  // The last may be the value of an option, which fails without.
  return [...some(2, WORDS), random.pick(VERBS), ...some(5, [...WORDS, '--']), 'web']
}
