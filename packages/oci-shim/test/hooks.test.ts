import { spawnSync } from 'node:child_process'
import { renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, test } from 'vitest'
import { HookHost } from './hooks/hook-host.js'

const QUICK = fileURLToPath(new URL('../bin/sdbridge-hook.cjs', import.meta.url))
const SILENT = { stdout: '', stderr: '', status: 0 }
const FOR_WEB = { annotations: { 'io.sdbridge.daemon': 'web' } }

let host: HookHost
beforeEach(() => {
  host = new HookHost()
})

describe('a container with a directory of the daemon’s', () => {
  beforeEach(async () => {
    host.configure('/elsewhere', join(host.base, 'web.service'))
    await host.listen()
  })

  test('createRuntime registers it', async () => {
    expect(await host.run({ input: host.state() })).toEqual(SILENT)
    expect(host.asked).toEqual([
      {
        version: 1,
        command: 'register',
        name: 'web.service',
        container: { id: 'c1', engine: 'sh', pid: 42 },
      },
    ])
  })

  test('the unit that its annotation names is told', async () => {
    expect(await host.run({ input: host.state(FOR_WEB) })).toEqual(SILENT)
    expect(host.asked).toMatchObject([{ annotatedUnit: 'web' }])
  })

  test('poststop says that it has ended', async () => {
    const input = host.state({ status: 'stopped', pid: 0 })
    expect(await host.run({ stage: 'poststop', input })).toEqual(SILENT)
    expect(host.asked).toEqual([
      { version: 1, command: 'unregister', name: 'web.service', id: 'c1' },
    ])
  })

  test.each([
    ['podman', { 'io.container.manager': 'libpod' }],
    ['cri-o', { 'io.container.manager': 'cri-o' }],
    ['sh', { 'io.container.manager': 'other' }],
  ])('of %s', async (engine, annotations) => {
    expect(await host.run({ input: host.state({ annotations }) })).toEqual(SILENT)
    expect(host.asked).toMatchObject([{ container: { engine } }])
  })

  test.each([
    ['docker', 'moby'],
    ['containerd', 'k8s.io'],
  ])('of %s, by where its bundle is', async (engine, namespace) => {
    const tasks = join(host.bundle, 'io.containerd.runtime.v2.task', namespace)
    spawnSync('mkdir', ['-p', tasks])
    symlinkSync(host.bundle, join(tasks, 'c1'))
    expect(await host.run({ input: host.state({ bundle: join(tasks, 'c1') }) })).toEqual(SILENT)
    expect(host.asked).toMatchObject([{ container: { engine } }])
  })

  test.each(['web.service/', './web.service', '../notify//web.service'])(
    'as somebody else may have written it: %s',
    async (path) => {
      host.configure(`${host.base}/${path}`)
      expect(await host.run({ input: host.state() })).toEqual(SILENT)
      expect(host.asked).toMatchObject([{ name: 'web.service' }])
    },
  )

  test('without the links on the way, as CRI-O writes it', async () => {
    const real = `${host.base}-real`
    renameSync(host.base, real)
    symlinkSync(real, host.base)
    host.configure(join(real, 'web.service'))
    expect(await host.run({ input: host.state() })).toEqual(SILENT)
    expect(host.asked).toMatchObject([{ name: 'web.service' }])
  })

  test('what the daemon says against it is told, and it does not start', async () => {
    host.answer = { error: 'web.service may not be spoken for' }
    expect(await host.run({ input: host.state() })).toEqual({
      stdout: '',
      stderr: 'sdbridge: web.service may not be spoken for\n',
      status: 125,
    })
  })

  test.each([
    ['createRuntime', 'ignore'],
    ['poststop', 'fail'],
    ['poststop', 'ignore'],
  ] as const)('%s, %s: it is told, and nothing more', async (stage, onFailure) => {
    host.answer = { error: 'no' }
    expect(await host.run({ stage, onFailure, input: host.state() })).toEqual({
      stdout: '',
      stderr: 'sdbridge: no\n',
      status: 0,
    })
  })

  test('a daemon that goes without an answer', async () => {
    host.answer = undefined
    const { stderr, status } = await host.run({ input: host.state() })
    expect(status).toBe(125)
    expect(stderr).toContain('has gone without an answer')
  })

  test('a runtime that would have it notify another socket', async () => {
    const env = { NOTIFY_SOCKET: '/run/systemd/notify' }
    const { stderr, status } = await host.run({ input: host.state(), env })
    expect(status).toBe(125)
    expect(stderr).toMatch(/^sdbridge: the runtime was started with NOTIFY_SOCKET, .*\n$/)
    expect(host.asked).toEqual([])
    // It can be ended all the same.
    expect(await host.run({ stage: 'poststop', input: host.state(), env })).toEqual(SILENT)
  })

  test.each([
    ['two of them', ['a', 'b'], 'the container mounts 2 directories below'],
    ['one of no name', ['a b'], 'expected a name of at most 61 letters'],
    ['one of too long a name', ['x'.repeat(62)], 'expected a name of at most 61 letters'],
  ])('%s are refused', async (_, names, message) => {
    host.configure(...names.map((name) => join(host.base, name)))
    const { stderr, status } = await host.run({ input: host.state() })
    expect(status).toBe(125)
    expect(stderr).toContain(message)
    expect(host.asked).toEqual([])
  })
})

describe('any other container', () => {
  beforeEach(() => host.listen())

  test.each(['', '..', 'a/b', '../elsewhere', '../notify-not'])(
    'a mount of %j means nothing',
    async (path) => {
      host.configure(join(host.base, path))
      for (const stage of ['createRuntime', 'poststop'] as const)
        expect(await host.run({ stage, input: host.state() })).toEqual(SILENT)
      expect(host.asked).toEqual([])
    },
  )

  test.each([undefined, '', '{', '[]', '{"mounts":7}', '{"mounts":[null,{},{"source":1}]}'])(
    'a configuration like %j means nothing',
    async (text) => {
      if (text !== undefined) writeFileSync(join(host.bundle, 'config.json'), text)
      for (const stage of ['createRuntime', 'poststop'] as const)
        expect(await host.run({ stage, input: host.state() })).toEqual(SILENT)
      expect(host.asked).toEqual([])
    },
  )

  test('with the annotation, it is told what it lacks', async () => {
    host.configure('/elsewhere')
    const { stderr, status } = await host.run({ input: host.state(FOR_WEB) })
    expect(status).toBe(125)
    expect(stderr).toContain(`io.sdbridge.daemon=web, and no socket: expected a directory`)
    expect(stderr).toContain('for CRI-O: a hostPath volume')
    expect(await host.run({ stage: 'poststop', input: host.state(FOR_WEB) })).toEqual(SILENT)
  })

  test('with the annotation, and no configuration', async () => {
    const { stderr, status } = await host.run({ input: host.state(FOR_WEB) })
    expect(status).toBe(125)
    expect(stderr).toContain(`${host.bundle}/config.json cannot be read`)
    const last = await host.run({ stage: 'poststop', input: host.state(FOR_WEB) })
    expect(last).toMatchObject({ stderr, status: 0 })
  })

  test.each([7, '', '../x', { a: 1 }, 'x'.repeat(256)])(
    'the annotation %j names no unit',
    async (unit) => {
      host.configure(join(host.base, 'web'))
      const annotations = { 'io.sdbridge.daemon': unit }
      const { stderr, status } = await host.run({ input: host.state({ annotations }) })
      expect(status).toBe(125)
      expect(stderr).toContain("annotation io.sdbridge.daemon: expected a unit's name")
      expect(host.asked).toEqual([])
    },
  )
})

test('where there is no daemon, it says what to do', async () => {
  host.configure(join(host.base, 'web'))
  const { stderr, status } = await host.run({ input: host.state() })
  expect(status).toBe(125)
  expect(stderr).toMatch(/^sdbridge: .*found nobody .*: systemctl start sdbridge\.socket\n$/)
})

describe('what is no state of a container', () => {
  const bad: [string, string | Buffer, string][] = [
    ['nothing', '', 'expected JSON'],
    ['half of it', '{"id":"c1","bundle":"/', 'expected JSON'],
    ['bytes', Buffer.from([0xff, 0, 0xfe, 10]), 'expected JSON'],
    ['no object', '[]', 'expected an id'],
    ['null', 'null', 'expected an id'],
    ['no id', '{"bundle":"/b"}', 'expected an id'],
    ['an id of two lines', '{"id":"a\\nb","bundle":"/b"}', 'expected an id'],
    ['too long an id', `{"id":"${'x'.repeat(256)}","bundle":"/b"}`, 'expected an id'],
    ['an id of another kind', '{"id":{},"bundle":"/b"}', 'expected an id'],
    ['no bundle', '{"id":"c1"}', 'expected the absolute path of a bundle'],
    ['a relative bundle', '{"id":"c1","bundle":"b"}', 'expected the absolute path of a bundle'],
    ['too much', `{"id":"${'x'.repeat(1024 * 1024)}"}`, 'longer than 1048576 bytes'],
    ['deep', '['.repeat(500_000), 'expected JSON'],
  ]

  test.each(bad)('%s: createRuntime fails, and says so in a line', async (_, input, message) => {
    const { stdout, stderr, status } = await host.run({ input })
    expect({ stdout, status }).toEqual({ stdout: '', status: 125 })
    expect(stderr).toMatch(/^sdbridge: standard input [^\n]+\n$/)
    expect(stderr).toContain(message)
  })

  test('poststop says so, and the container can be removed', async () => {
    const { stderr, status } = await host.run({ stage: 'poststop', input: '' })
    expect(status).toBe(0)
    expect(stderr).toContain('expected JSON')
  })

  test('an end that never comes', async () => {
    const { stderr, status } = await host.run({ input: host.state(), isOpen: true })
    expect({ stderr, status }).toEqual({
      stderr: 'sdbridge: standard input did not end in 5 s\n',
      status: 125,
    })
  }, 20_000)

  test('more and more of it', async () => {
    const input = 'x'.repeat(2 * 1024 * 1024)
    const { stderr } = await host.run({ input, isOpen: true })
    expect(stderr).toContain('longer than 1048576 bytes')
  })
})

describe('the quick way to it, as hooks are called', () => {
  function quick(words: string[], input: string) {
    const { stdout, stderr, status } = spawnSync(process.execPath, [QUICK, ...words], {
      input,
      encoding: 'utf8',
      env: {},
    })
    return { stdout, stderr, status }
  }

  test.each([
    ['hook', 'createRuntime'],
    ['hook', 'createRuntime', '--on-failure=ignore'],
    ['hook', 'createRuntime', '--on-failure', 'ignore'],
    ['hook', 'poststop'],
  ])('%s %s %s: another container is none of its business', (...words) => {
    host.configure('/elsewhere')
    expect(quick(words.filter(Boolean), host.state())).toEqual(SILENT)
  })

  test('what it says is what the whole command says', () => {
    const { stderr, status } = quick(['hook', 'createRuntime'], '')
    expect(status).toBe(125)
    expect(stderr).toContain('expected JSON')
    expect(quick(['hook', 'createRuntime', '--on-failure=ignore'], '')).toMatchObject({
      stderr,
      status: 0,
    })
    expect(quick(['hook', 'poststop'], '')).toMatchObject({ stderr, status: 0 })
  })

  test.each([
    [['hook', 'createRuntime', '--x'], "Unknown option '--x'"],
    [['hook', 'createRuntime', '--on-failure=maybe'], '--on-failure must be fail or ignore'],
    [['hook', 'poststop', 'x'], "expected options only, found 'x'"],
    [['hook'], 'expected install, uninstall, createRuntime, poststop or precreate, found none'],
  ])('%j is a mistake', (words, message) => {
    const { stderr, status } = quick(words, '')
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  })
})
