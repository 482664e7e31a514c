import { readFileSync, statSync, writeFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
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
})
