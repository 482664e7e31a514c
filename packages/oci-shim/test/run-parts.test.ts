import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getFileLimit, setFileLimit } from '@sdbridge/syscalls'
import { describe, expect, test, vi } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { runCommand } from '../dist/engines/command-outcome.js'
import { parseEngineCommand } from '../dist/engines/engine-command.js'
import { examineEngine } from '../dist/engines/engine-problem.js'
import { fileNameOf } from '../dist/run/private-directory.js'
import { PullExtension } from '../dist/run/pull-extension.js'
import { stopGraceSec } from '../dist/run/stop-grace.js'
import { unitOfCgroup } from '../dist/cgroups/process-cgroups.js'
import { parseUnitSettings } from '../dist/run/unit-settings.js'

describe('the unit of a control group', () => {
  test.each([
    ['/system.slice/web.service', 'web.service', undefined, '/system.slice/web.service'],
    ['/system.slice/system-web.slice/web@1.service', 'web@1.service', undefined, undefined],
    ['/system.slice/web.service/sdbridge', 'web.service', undefined, '/system.slice/web.service'],
    ['/system.slice/_cgroup.service', 'cgroup.service', undefined, undefined],
    [
      '/user.slice/user-1000.slice/user@1000.service/app.slice/web.service',
      'web.service',
      '1000',
      '/user.slice/user-1000.slice/user@1000.service/app.slice/web.service',
    ],
  ])('%s is of %s', (path, unit, user, cgroup) => {
    expect(unitOfCgroup(path)).toEqual({ unit, user, cgroup: cgroup ?? path })
  })

  test.each([
    '/',
    '',
    '/user.slice/user-0.slice/session-3.scope',
    '/user.slice/user-1000.slice/user@1000.service/init.scope',
    '/docker/0123456789abcdef',
  ])('%j is of none', (path) => {
    expect(unitOfCgroup(path)).toBeUndefined()
  })
})

describe('what systemctl says of a unit', () => {
  test('is read', () => {
    const text =
      'TimeoutStopUSec=1min 30s\nNotifyAccess=main\nDelegate=yes\nFileDescriptorStoreMax=16\n' +
      'LimitNOFILESoft=1024\nIgnoreSIGPIPE=no\nKillMode=mixed\n'
    expect(parseUnitSettings(text)).toEqual({
      timeoutStopSec: 90,
      notifyAccess: 'main',
      delegate: true,
      storeLimit: 16,
      softFileLimit: 1024,
      ignoresSigpipe: false,
      killMode: 'mixed',
    })
  })

  test.each([
    ['infinity', Infinity],
    ['500ms', 0.5],
    ['1d 2h 3s', 93_603],
    ['', undefined],
    ['soon', undefined],
  ])('a time span of %j is %d seconds', (span, seconds) => {
    expect(parseUnitSettings(`TimeoutStopUSec=${span}\n`).timeoutStopSec).toBe(seconds)
  })

  test.each([
    [undefined, 80],
    [90, 80],
    [20, 15],
    [4, 3],
    [1, 1],
    [0.1, 1],
    [Infinity, 2_592_000],
  ])('with %d seconds for its stop, the container has %d', (timeout, grace) => {
    expect(stopGraceSec(timeout)).toBe(grace)
  })
})

describe('a command of the engine', () => {
  test('that there is no room for is one that fails', async () => {
    const args = ['x'.repeat(4 * 1024 * 1024)]
    const outcome = await runCommand({ file: 'true', args }, process.env, 10_000)
    expect(outcome).toMatchObject({ code: undefined, stdout: '', reason: 'spawn E2BIG' })
  })

  test('that is an engine’s question is one that is not answered', async () => {
    const file = join(temporaryDirectory(), 'docker')
    writeFileSync(file, '#!/bin/sh\necho {}\n', { mode: 0o755 })
    const command = parseEngineCommand([
      file,
      '--context',
      'x'.repeat(4 * 1024 * 1024),
      'run',
      'image',
    ])!
    const { problem } = await examineEngine(command)
    expect(problem).toMatchObject({ code: 'unreachable' })
  })

  test('without a descriptor to read it by is one that fails', async () => {
    const limit = getFileLimit()
    setFileLimit({ soft: 3, hard: limit.hard })
    const outcome = runCommand({ file: 'true', args: [] }, process.env, 10_000)
    setFileLimit(limit)
    expect(await outcome).toMatchObject({ code: undefined, stdout: '' })
  })
})

describe('a file name for a unit', () => {
  test('is its own where that can be one', () => {
    expect(fileNameOf('web.service')).toBe('web.service')
  })

  test.each([
    'user-1000/web.service',
    'web:1.service',
    'a,b.service',
    '../etc',
    '.',
    // A base joined with it would be the base.
    '',
    `${'x'.repeat(200)}.service`,
  ])('of %j is short, has no sign with a meaning, and is nobody else’s', (id) => {
    const name = fileNameOf(id)
    expect(name).toMatch(/^[\w][\w.-]{0,61}$/)
    expect(name).not.toBe(fileNameOf(`${id} `))
  })
})

describe('the extension of the start timeout', () => {
  test('goes on until the container is there, and is then taken back', async () => {
    const extend = vi.fn<(usec: number) => void>()
    const withdraw = vi.fn<() => void>()
    let isOver = false
    const pull = new PullExtension({
      limitMs: 1e9,
      delayMs: 1,
      intervalMs: 1,
      extend,
      withdraw,
      isOver: () => isOver,
    })
    await vi.waitFor(() => expect(extend.mock.calls.length).toBeGreaterThan(2))
    expect(extend).toHaveBeenCalledWith(30_000_000)
    expect(withdraw).not.toHaveBeenCalled()
    isOver = true
    await new Promise((resolve) => setTimeout(resolve, 50))
    const { length } = extend.mock.calls
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(extend.mock.calls).toHaveLength(length)
    pull.look()
    expect(withdraw).toHaveBeenCalledOnce()
    pull.end()
  })

  test('that was not needed is not taken back', () => {
    const withdraw = vi.fn<() => void>()
    const extend = vi.fn<(usec: number) => void>()
    const pull = new PullExtension({ limitMs: 1e9, extend, withdraw, isOver: () => true })
    pull.look()
    expect(withdraw).not.toHaveBeenCalled()
  })

  test('ends at its limit, and asks for no more than what is left', async () => {
    const extend = vi.fn<(usec: number) => void>()
    const pull = new PullExtension({
      limitMs: 100,
      delayMs: 1,
      intervalMs: 1,
      extend,
      withdraw: () => {},
      isOver: () => false,
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    for (const [usec] of extend.mock.calls) expect(usec).toBeLessThanOrEqual(100_000)
    const { length } = extend.mock.calls
    expect(length).toBeGreaterThan(0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(extend.mock.calls).toHaveLength(length)
    pull.end()
  })

  test('of a limit of 0 never comes', async () => {
    const extend = vi.fn<(usec: number) => void>()
    const pull = new PullExtension({
      limitMs: 0,
      delayMs: 1,
      intervalMs: 1,
      extend,
      withdraw: () => {},
      isOver: () => false,
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(extend).not.toHaveBeenCalled()
    pull.end()
  })
})
