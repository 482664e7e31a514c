import { execFile } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'

// What `pnpm test:fuzz` runs for longer.

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))

test('the fuzzer finds nothing', async () => {
  const { code, stdout } = await fuzz('--seconds', '2', '--seed', '1')
  expect(stdout).toMatch(/^fuzz: 2 seconds, seed 1\nfuzz: \d+ messages, no finding\n$/)
  expect(code).toBe(0)
})

test.each([
  ['the parser', 'parse-message.js', '% 2 === 1', '% 2 === 3', /trailing-backslash/, '\\'],
  [
    'the encoder',
    'encode-message.js',
    "value.replaceAll('\\\\', '\\\\\\\\')",
    'value',
    /encoded/,
    'X_',
  ],
  [
    'the receiver',
    'receiver/notify-receiver.js',
    'message.lines.length === 1 &&',
    '',
    /barrier-not-alone/,
    'BARRIER=1',
  ],
])(
  'the fuzzer finds a mistake in %s, and shows it shortened, again',
  async (_where, file, right, wrong, problem, input) => {
    const directory = brokenPackage(file, right, wrong)
    const { code, stdout } = await fuzz('--seed', '7', '--package', directory)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^fuzz: FAILED, seed \d+: /m)
    expect(stdout).toMatch(problem)
    const base64 = /--input '([^']+)'/.exec(stdout)![1]!
    const shortened = Buffer.from(base64, 'base64').toString()
    expect(shortened).toContain(input)
    expect(shortened.length).toBeLessThan(20)

    expect(await fuzz('--input', base64, '--package', directory)).toMatchObject({ code: 1 })
    expect(await fuzz('--input', base64)).toMatchObject({ code: 0 })
  },
)

test('the fuzzer refuses options that mean nothing', async () => {
  expect(await fuzz('--sed', '1')).toMatchObject({ code: 2, stdout: '' })
  expect(await fuzz('--package', temporaryDirectory())).toMatchObject({ code: 2, stdout: '' })
})

function brokenPackage(file: string, right: string, wrong: string): string {
  const directory = temporaryDirectory()
  cpSync(join(PACKAGE, 'dist'), join(directory, 'dist'), { recursive: true })
  cpSync(join(PACKAGE, 'package.json'), join(directory, 'package.json'))
  symlinkSync(join(PACKAGE, 'node_modules'), join(directory, 'node_modules'))
  const path = join(directory, 'dist', file)
  const source = readFileSync(path, 'utf8')
  expect(source).toContain(right)
  writeFileSync(path, source.replace(right, wrong))
  return directory
}

function fuzz(...args: string[]): Promise<{ code: unknown; stdout: string }> {
  const program = join(PACKAGE, 'test/fuzz/run.js')
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], (error, stdout) =>
      resolve({ code: error === null ? 0 : error.code, stdout }),
    )
  })
}
