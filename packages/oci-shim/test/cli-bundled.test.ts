import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'

const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const SCRIPT = join(PACKAGE, 'bin/sdbridge.js')

/** The files of JavaScript that a command has loaded, as V8 knows them; in this package, or as they are called elsewhere. */
function loadedBy(args: readonly string[], script = SCRIPT, input = ''): string[] {
  const folder = temporaryDirectory()
  const coverage = join(folder, 'coverage')
  execFileSync(process.execPath, [script, ...args], {
    input,
    env: { ...process.env, RUNTIME_DIRECTORY: folder, NODE_V8_COVERAGE: coverage },
  })
  return readdirSync(coverage)
    .flatMap((name) => urlsOf(readFileSync(join(coverage, name), 'utf8')))
    .filter((url) => url.startsWith('file:'))
    .map((url) => relative(PACKAGE, fileURLToPath(url)))
    .toSorted()
}

function urlsOf(report: string): string[] {
  return (JSON.parse(report) as { result: { url: string }[] }).result.map(({ url }) => url)
}

describe('sdbridge as it is published, in few files (pnpm build)', () => {
  test('run loads what it needs, all of it from there', () => {
    expect(loadedBy(['run', '--print', '--', 'true'])).toEqual([
      'bin/sdbridge.js',
      'dist/command/common.js',
      'dist/command/rolldown-runtime.js',
      'dist/command/run-command.js',
      'dist/command/run.js',
      'dist/command/sdbridge.js',
      'dist/command/shared.js',
    ])
  })

  test.each(['createRuntime', 'poststop'])('hook %s loads one file, quickly', (stage) => {
    const script = join(PACKAGE, 'bin/sdbridge-hook.cjs')
    const state = JSON.stringify({ id: 'x', bundle: temporaryDirectory() })
    expect(loadedBy(['hook', stage], script, state)).toEqual([
      'bin/sdbridge-hook.cjs',
      'dist/command/hook.cjs',
    ])
  })

  test('hook createRuntime by the command itself loads little', () => {
    const state = JSON.stringify({ id: 'x', bundle: temporaryDirectory() })
    expect(loadedBy(['hook', 'createRuntime'], SCRIPT, state)).not.toContain(
      'dist/command/shared.js',
    )
  })

  test.each(['cleanup', 'help doctor', 'unit --help', 'version'])(
    '%s: nothing comes from elsewhere',
    (words) => {
      for (const file of loadedBy(words.split(' ')))
        expect(file).toMatch(/^(?:bin|dist\/command)\//)
    },
  )

  test('its text has one byte for each character, for V8 to keep it so', () => {
    const folder = join(PACKAGE, 'dist/command')
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.js')))
      expect(readFileSync(join(folder, name), 'utf8')).toMatch(/^\p{ASCII}*$/u)
  })

  test('the licences of what others wrote are beside it', () => {
    const licences = readFileSync(join(PACKAGE, 'dist/command/LICENSES.txt'), 'utf8')
    const names = [...licences.matchAll(/^(\S+) [\d.]+, which is part of this command:$/gm)]
    expect(names.map(([, name]) => name)).toEqual([
      ...['@opentelemetry/api', 'bintrees', 'debug', 'ms'],
      ...['prom-client', 'smol-toml', 'tdigest'],
    ])
    expect(licences.match(/Permission is hereby granted/g)).toHaveLength(4)
    expect(licences.match(/Apache License\n/g)).toHaveLength(2)
    expect(licences.match(/Redistribution and use in source and binary forms/g)).toHaveLength(1)
  })
})

describe('which of the two the command is, in a checkout', () => {
  const COMPILED = ['oci-shim', 'syscalls', 'notify', 'listen-fds']

  /** A checkout in which the command was bundled at 1000 seconds. */
  function checkout(compiledAt: Readonly<Record<string, number>>): string {
    const packages = temporaryDirectory()
    const folder = join(packages, 'oci-shim')
    cpSync(dirname(SCRIPT), join(folder, 'bin'), { recursive: true })
    write(join(folder, 'package.json'), '{ "type": "module" }')
    write(join(folder, 'dist/cli/main.js'), "process.stdout.write('compiled')")
    write(join(folder, 'dist/command/sdbridge.js'), "process.stdout.write('bundled')", 1000)
    for (const [name, at] of Object.entries(compiledAt))
      write(join(packages, name, 'tsconfig.tsbuildinfo'), '{}', at)
    return join(folder, 'bin/sdbridge.js')
  }

  function write(file: string, text: string, at?: number): void {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    if (at !== undefined) utimesSync(file, at, at)
  }

  function outputOf(script: string): string {
    return execFileSync(process.execPath, [script], { encoding: 'utf8' })
  }

  test('after a build: what was bundled', () => {
    const before = Object.fromEntries(COMPILED.map((name) => [name, 999]))
    expect(outputOf(checkout(before))).toBe('bundled')
  })

  test.each(COMPILED)('after %s was compiled again, and no more: what was compiled', (name) => {
    const before = Object.fromEntries(COMPILED.map((each) => [each, 999]))
    expect(outputOf(checkout({ ...before, [name]: 1001 }))).toBe('compiled')
  })

  test('installed by a package manager, without a record of a compiler: what was bundled', () => {
    expect(outputOf(checkout({}))).toBe('bundled')
  })
})
