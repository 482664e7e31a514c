import { existsSync, readFileSync, statSync, writeFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { lifecycleHook } from '../src/injection/lifecycle-hooks.js'
import {
  PREPARED_ANNOTATION,
  preparedConfig,
  unpreparedConfig,
} from '../src/injection/prepared-config.js'
import { type JsonObject, parseExactJson } from '../src/runtime/exact-json.js'
import { sdbridge } from './sdbridge.js'

const WEB = {
  mount: { source: '/run/sdbridge/web.service/notify', target: '/run/notify' },
  variables: { NOTIFY_SOCKET: '/run/notify/notify.sock', WATCHDOG_USEC: '7' },
}
const MOUNT = {
  destination: '/run/notify',
  type: 'bind',
  source: '/run/sdbridge/web.service/notify',
  options: ['bind', 'ro', 'nosuid', 'nodev', 'noexec'],
}

const CONFIGS: Record<string, JsonObject> = {
  'with all of it': {
    ociVersion: '1.2.1',
    root: { path: 'rootfs' },
    process: {
      args: ['sh'],
      env: ['PATH=/bin', 'NOTIFY_SOCKET=/theirs', 'A=1', 'WATCHDOG_USEC=3', 'WATCHDOG_USEC'],
    },
    mounts: [{ destination: '/run', type: 'tmpfs', source: 'tmpfs' }],
    linux: { namespaces: [{ type: 'pid', path: 'relative' }] },
    annotations: { mine: 'stays' },
  },
  'with nothing that is added to': { process: {}, hostname: 'x' },
  'with empty lists': { process: { env: [] }, mounts: [], annotations: {} },
}

const THEIR_HOOK = { path: '/theirs', timeout: 3 }
const DAEMON = {
  hooks: {
    createRuntime: lifecycleHook('createRuntime', 'fail'),
    poststop: lifecycleHook('poststop', 'fail'),
  },
  annotations: { 'io.sdbridge.daemon': 'web.service' },
}
const DAEMON_CONFIGS: Record<string, JsonObject> = {
  ...CONFIGS,
  'with hooks': {
    process: {},
    hooks: { createRuntime: [THEIR_HOOK], poststart: [THEIR_HOOK] },
    annotations: { 'io.sdbridge.daemon': 'other', mine: 'stays' },
  },
  'with hooks of which there are none': { process: {}, hooks: { poststop: [] } },
  'with hooks that are nothing': { process: {}, hooks: {} },
}

describe.each(Object.entries(DAEMON_CONFIGS))('for the daemon, a configuration %s', (_, config) => {
  const theirs = (stage: string) =>
    ((config['hooks'] as JsonObject | undefined)?.[stage] ?? []) as JsonObject[]

  test('has hooks behind those that were there', () => {
    const { hooks, annotations, ...rest } = preparedConfig(config, WEB, DAEMON)
    expect(hooks).toEqual({
      ...(config['hooks'] as object),
      createRuntime: [...theirs('createRuntime'), DAEMON.hooks.createRuntime],
      poststop: [...theirs('poststop'), DAEMON.hooks.poststop],
    })
    expect(annotations).toMatchObject(DAEMON.annotations)
    const { hooks: _hooks, annotations: _annotations, ...others } = preparedConfig(config, WEB)
    expect(rest).toEqual(others)
  })

  test('prepared twice is prepared once; for sdbridge run, it is so alone', () => {
    const prepared = preparedConfig(config, WEB, DAEMON)
    expect(preparedConfig(prepared, WEB, DAEMON)).toEqual(prepared)
    expect(preparedConfig(prepared, WEB)).toEqual(preparedConfig(config, WEB))
    expect(preparedConfig(preparedConfig(config, WEB), WEB, DAEMON)).toEqual(prepared)
  })

  test('is what it was when it is undone, also after somebody has written it anew', () => {
    const prepared = preparedConfig(config, WEB, DAEMON)
    expect(JSON.stringify(unpreparedConfig(prepared))).toBe(JSON.stringify(config))
    const sorted = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(sorted)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .toSorted(([one], [other]) => (one < other ? 1 : -1))
                .map(([key, each]) => [key, sorted(each)]),
            )
          : value
    expect(unpreparedConfig(sorted(prepared) as JsonObject)).toEqual(config)
  })

  test('keeps what was changed meanwhile', () => {
    const prepared = preparedConfig(config, WEB, DAEMON)
    const hooks = prepared['hooks'] as Record<string, JsonObject[]>
    const undone = unpreparedConfig({
      ...prepared,
      hooks: { ...hooks, poststop: [THEIR_HOOK, ...hooks['poststop']!], startContainer: [] },
      annotations: { ...(prepared['annotations'] as object), 'io.sdbridge.daemon': 'mine' },
    })
    expect(undone['hooks']).toMatchObject({
      poststop: [THEIR_HOOK, ...theirs('poststop')],
      startContainer: [],
    })
    expect(undone['annotations']).toMatchObject({ 'io.sdbridge.daemon': 'mine' })
  })
})

test('hooks that are no hooks are not made any worse', () => {
  expect(() => preparedConfig({ process: {}, hooks: { poststop: 'none' } }, WEB, DAEMON)).toThrow(
    'hooks.poststop: expected a list',
  )
  expect(() => preparedConfig({ process: {}, hooks: [] }, WEB, DAEMON)).toThrow(
    'hooks: expected an object',
  )
})

describe.each(Object.entries(CONFIGS))('a configuration %s', (_, config) => {
  test('has what the unit has, and all that it had', () => {
    const prepared = preparedConfig(config, WEB)
    expect(prepared).toMatchObject({ ...config, process: {}, mounts: {}, annotations: {} })
    expect(prepared['mounts']).toEqual([...((config['mounts'] as []) ?? []), MOUNT])
    const { env } = prepared['process'] as { env: string[] }
    expect(env.filter((each) => /^(?:NOTIFY|WATCHDOG)/.test(each))).toEqual([
      'NOTIFY_SOCKET=/run/notify/notify.sock',
      'WATCHDOG_USEC=7',
    ])
  })

  test('prepared twice is prepared once, and for another unit anew', () => {
    const prepared = preparedConfig(config, WEB)
    expect(preparedConfig(prepared, WEB)).toEqual(prepared)
    const other = { mount: { ...WEB.mount, source: '/other' }, variables: { NOTIFY_SOCKET: '/x' } }
    expect(preparedConfig(prepared, other)).toEqual(preparedConfig(config, other))
  })

  test('is what it was when it is undone', () => {
    const text = (each: JsonObject): string => JSON.stringify(each)
    expect(text(unpreparedConfig(preparedConfig(config, WEB)))).toBe(text(config))
    expect(unpreparedConfig(config)).toBe(config)
  })

  test('keeps what was changed meanwhile', () => {
    const { process, mounts, annotations, ...rest } = preparedConfig(config, WEB) as {
      process: { env: string[] }
      mounts: JsonObject[]
      annotations: JsonObject
    }
    const undone = unpreparedConfig({
      ...rest,
      process: { ...process, env: ['NEW=1', ...process.env] },
      mounts: [{ destination: '/new' }, ...mounts],
      annotations: { ...annotations, new: 'yes' },
    })
    expect(undone['process']).toMatchObject({ env: expect.arrayContaining(['NEW=1']) as unknown })
    expect(undone['mounts']).toEqual([{ destination: '/new' }, ...((config['mounts'] as []) ?? [])])
    expect(undone['annotations']).toEqual({ ...(config['annotations'] as object), new: 'yes' })
  })
})

test.each(['/run/notify', '/run/notify/'])('what mounts %s itself is refused', (destination) => {
  expect(() => preparedConfig({ process: {}, mounts: [{ destination }] }, WEB)).toThrow(
    'something else is mounted at /run/notify: choose another --container-directory',
  )
})

test('what mounts something below is refused, as sdbridge run refuses it', () => {
  const mounts = [{ destination: '/run/notify/below' }]
  expect(() => preparedConfig({ process: {}, mounts }, WEB)).toThrow(
    'something else is mounted at /run/notify/below: choose another --container-directory',
  )
})

test('what has no process is refused', () => {
  expect(() => preparedConfig({ root: {} }, WEB)).toThrow('it has no process')
})

test.each(['', '{}', '[]', 'null', '{"mount":{}}', 7])(
  'what the annotation cannot say is told: %j',
  (text) => {
    expect(() => unpreparedConfig({ annotations: { [PREPARED_ANNOTATION]: text } })).toThrow(
      `annotation ${PREPARED_ANNOTATION}: expected what sdbridge prepare has written, found ${JSON.stringify(text)}`,
    )
  },
)

describe('sdbridge prepare', () => {
  const bundleWith = (text: string): { bundle: string; file: string } => {
    const bundle = temporaryDirectory()
    const file = join(bundle, 'config.json')
    writeFileSync(file, text)
    return { bundle, file }
  }

  test('--undo writes the file as it was, with its mode and its numbers', () => {
    const json = parseExactJson('{"process":{"env":["A=1"]},"limit":18446744073709551615}')
    const { bundle, file } = bundleWith(
      json.stringify(preparedConfig(json.value as JsonObject, WEB)),
    )
    chmodSync(file, 0o640)
    const dry = sdbridge(['prepare', '--undo', '--dry-run', bundle])
    expect(dry.stdout).toContain(`-\t\t\t"NOTIFY_SOCKET=/run/notify/notify.sock",`)
    expect(sdbridge(['prepare', '--undo', bundle])).toEqual({
      stdout: `changed ${file}\n`,
      stderr: '',
      status: 0,
    })
    expect(readFileSync(file, 'utf8')).toBe(json.stringify(json.value))
    expect(readFileSync(file, 'utf8')).toContain('18446744073709551615')
    expect(statSync(file).mode & 0o777).toBe(0o640)
    expect(sdbridge(['prepare', '--undo', bundle]).stdout).toBe(`${file} is as it should be\n`)
  })

  test('a file that was never prepared stays as somebody has written it', () => {
    const { bundle, file } = bundleWith('{ "process" : {} }\n')
    expect(sdbridge(['prepare', '--undo', bundle]).status).toBe(0)
    expect(readFileSync(file, 'utf8')).toBe('{ "process" : {} }\n')
  })

  test.each([
    [[], 'expected the directory of a bundle'],
    [['x'], 'expected either --unit NAME or --undo'],
    [['--undo', '--unit', 'web', 'x'], 'expected either --unit NAME or --undo'],
    [['--undo', 'x', 'y'], "expected one bundle, found 'y' too"],
    [['--unit=-x', 'x'], "expected the name of a service such as web, found '-x'"],
    [['--daemon', 'x'], '--daemon expects --unit NAME or --name NAME'],
    [['--daemon', '--undo', 'x'], 'expected either --unit NAME or --undo'],
    [['--daemon', '--name', '.x', 'x'], "and not begin with one of .-, not '.x'"],
    [['--daemon', '--name', 'a/b', 'x'], '--name must be of at most 61 letters, digits and _.-'],
    [['--daemon', '--name=a', '--on-failure=x', 'x'], '--on-failure must be fail or ignore'],
    [['--unit=web', '--name', 'a', 'x'], '--name goes with --daemon'],
    [['--unit=web', '--on-failure', 'fail', 'x'], '--on-failure goes with --daemon'],
  ])('%j is a mistake', (args, message) => {
    const { stderr, status } = sdbridge(['prepare', ...args])
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  })

  test.each([
    ['no file', undefined, 'expected the configuration of a bundle, found none'],
    ['no JSON', '{', 'JSON'],
    ['no object', '[]', 'it is no JSON object'],
  ])('%s: it says so, and changes nothing', (_, text, message) => {
    const bundle = text === undefined ? temporaryDirectory() : bundleWith(text).bundle
    const { stderr, status } = sdbridge(['prepare', '--undo', bundle])
    expect(status).toBe(125)
    expect(stderr).toContain(`sdbridge: ${join(bundle, 'config.json')}: `)
    expect(stderr).toContain(message)
  })

  test('without a service manager it says so, and changes nothing', () => {
    const { bundle, file } = bundleWith('{"process":{}}')
    const env = { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' }
    const { stderr, status } = sdbridge(['prepare', '--unit', 'web', bundle], '', env)
    expect(status).toBe(125)
    expect(stderr).toContain('web.service')
    expect(readFileSync(file, 'utf8')).toBe('{"process":{}}')
  })
  test('--daemon --name needs no service manager, and a dry run makes nothing', () => {
    const { bundle, file } = bundleWith('{"process":{}}')
    const env = { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' }
    const words = ['prepare', '--daemon', '--name=dry-run-of-a-test', '--dry-run', bundle]
    const { stdout, stderr, status } = sdbridge(words, '', env)
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    expect(stdout).toContain('/var/lib/sdbridge-daemon/notify/dry-run-of-a-test')
    expect(stdout).toContain('sdbridge-hook.cjs')
    expect(stdout).not.toContain('io.sdbridge.daemon')
    expect(existsSync('/var/lib/sdbridge-daemon/notify/dry-run-of-a-test')).toBe(false)
    expect(readFileSync(file, 'utf8')).toBe('{"process":{}}')
  })

  test('--daemon --unit of no service manager says so, and changes nothing', () => {
    const { bundle, file } = bundleWith('{"process":{}}')
    const env = { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' }
    const { stderr, status } = sdbridge(['prepare', '--daemon', '--unit', 'web', bundle], '', env)
    expect(status).toBe(125)
    expect(stderr).toContain('web.service')
    expect(readFileSync(file, 'utf8')).toBe('{"process":{}}')
  })
})
