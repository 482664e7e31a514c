import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { findLauncher } from '../src/launcher.js'
import { Program } from './program.js'
import { tcp } from './sockets.js'

const LIST = 'say(listenFds().length), say(listenFds().length)'

describe('below a launcher that does not exec, nothing is taken and a warning says why', () => {
  test('sh -c', async () => {
    const program = listed('sh', '-c', '"$@"; exit $?', 'sh')
    expect(await program.said()).toBe(0)
    expect(await program.ended()).toBe(0)
    expect(await program.stderr).toMatch(
      /\[LISTEN_FDS_LAUNCHER\] ListenFdsWarning: the service manager passed 1 descriptor\(s\) to process \d+ \(sh -c .*\), which started this one \(\d+\) instead of becoming it, .* exec node/,
    )
  })

  test('a script below a script', async () => {
    const script = join(temporaryDirectory(), 'start')
    writeFileSync(script, '#!/bin/sh\nsh -c \'"$@"; exit $?\' sh "$@"\nexit $?\n')
    chmodSync(script, 0o755)
    const program = listed(script)
    expect(await program.said()).toBe(0)
    expect(await program.stderr).toMatch(/LISTEN_FDS_LAUNCHER.* \(sh .*\/start/)
  })

  test('node, as npm and tsx start programs', async () => {
    const start =
      'const [file, ...args] = process.argv.slice(1); child_process.spawnSync(file, args, { stdio: "inherit" })'
    const program = listed(process.execPath, '-e', start)
    expect(await program.said()).toBe(0)
    expect(await program.stderr).toMatch(/LISTEN_FDS_LAUNCHER.* \(node -e const .*process\.argv/)
  })

  test('node in a deep directory, and a long command: what it runs is told, and the rest cut off', async () => {
    const directory = join(temporaryDirectory(), 'versions'.repeat(12))
    mkdirSync(directory)
    symlinkSync(process.execPath, join(directory, 'node'))
    const start = `/* ${'long '.repeat(30)}*/ const [file, ...args] = process.argv.slice(1); child_process.spawnSync(file, args, { stdio: "inherit" })`
    const program = listed(join(directory, 'node'), '-e', start)
    expect(await program.said()).toBe(0)
    expect(await program.stderr).toMatch(/ \(node -e \/\* (long ){20,25}[long]*…\), which/)
  })
})

describe('no warning', () => {
  test('below a launcher that does exec', async () => {
    const program = listed('sh', '-c', 'exec "$@"', 'sh')
    expect(await program.said()).toBe(1)
    expect(await program.said()).toBe(0)
    expect(await program.stderr).toBe('')
  })

  test('where the variables name a process that is no ancestor', async () => {
    const program = new Program(LIST, { env: { LISTEN_PID: '4194304', LISTEN_FDS: '1' } })
    expect(await program.said()).toBe(0)
    expect(await program.stderr).toBe('')
  })
})

test('an ancestor is found by its number', () => {
  expect(findLauncher(process.ppid)).toMatchObject({ pid: process.ppid })
  expect(findLauncher(process.pid)).toBeUndefined()
  expect(findLauncher(0x7fff_ffff)).toBeUndefined()
  expect(findLauncher(Number.NaN)).toBeUndefined()
})

function listed(...launcher: string[]): Program {
  return new Program(LIST, { fds: [tcp().fd], names: 'web', launcher })
}
