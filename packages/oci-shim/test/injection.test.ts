import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { cdiDevice } from '../src/injection/cdi-spec.js'
import { sdbridge } from './sdbridge.js'

describe('a device of the CDI', () => {
  const mount = { source: '/run/sdbridge/web.service/notify', target: '/run/notify' }

  test('has what the unit has, in the oldest version that can say so', () => {
    const variables = { NOTIFY_SOCKET: '/run/notify/notify.sock', FDSTORE: '7' }
    const { device, fileName, text } = cdiDevice({ unit: 'web.service', mount, variables })

    expect({ device, fileName }).toEqual({
      device: 'sdbridge.io/unit=web',
      fileName: 'sdbridge-web.json',
    })
    expect(JSON.parse(text)).toEqual({
      cdiVersion: '0.5.0',
      kind: 'sdbridge.io/unit',
      devices: [
        {
          name: 'web',
          containerEdits: {
            env: ['NOTIFY_SOCKET=/run/notify/notify.sock', 'FDSTORE=7'],
            mounts: [
              {
                hostPath: '/run/sdbridge/web.service/notify',
                containerPath: '/run/notify',
                options: ['bind', 'ro', 'nosuid', 'nodev', 'noexec'],
              },
            ],
          },
        },
      ],
    })
  })

  test('each unit has one of its own, by a name that readers take', () => {
    const units = ['a', 'a.b', 'a:b', '1', 'a@b', 'a-b', 'a-', '_a', String.raw`a\x2db`, '@', '-']
    const names = units.map((unit) => {
      const { device } = cdiDevice({ unit: `${unit}.service`, mount, variables: {} })
      return device.replace('sdbridge.io/unit=', '')
    })

    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?$/)
    expect(new Set(names).size).toBe(units.length)
    expect(names.slice(0, 4)).toEqual(units.slice(0, 4))
  })
})

describe('sdbridge hook precreate', () => {
  test.each([
    ['nothing', ''],
    [
      'a container',
      '{"ociVersion":"1.2.1","process":{"env":[]},"n":18446744073709551615, "x" : 1.0}',
    ],
    ['a container that has the word elsewhere', '{ "process": {"env": ["X=io.sdbridge.unit"]} }\n'],
    ['what is no JSON', 'not JSON, of 7 bytes: äöü'],
  ])('%s without the annotation comes out as it went in', (_, config) => {
    expect(sdbridge(['hook', 'precreate'], config)).toEqual({
      stdout: config,
      stderr: '',
      status: 0,
    })
  })

  test('a configuration longer than a pipe', () => {
    const config = JSON.stringify({ long: 'x'.repeat(1_000_000) })
    expect(sdbridge(['hook', 'precreate'], config).stdout).toBe(config)
  })

  test.each(['', '/etc', 'a b', '../web'])('the annotation %j names no unit', (unit) => {
    const config = JSON.stringify({ annotations: { 'io.sdbridge.unit': unit } })
    const { stdout, stderr, status } = sdbridge(['hook', 'precreate'], config)

    expect({ stdout, status }).toEqual({ stdout: '', status: 125 })
    expect(stderr).toMatch(/^sdbridge: annotation io\.sdbridge\.unit: expected [^\n]+\n$/)
    expect(stderr).toContain(JSON.stringify(unit))
  })

  test.each(['', '../web', 'a b'])('the annotation %j names no unit of the daemon’s', (unit) => {
    const config = JSON.stringify({ annotations: { 'io.sdbridge.daemon': unit } })
    const { stdout, stderr, status } = sdbridge(['hook', 'precreate'], config)

    expect({ stdout, status }).toEqual({ stdout: '', status: 125 })
    expect(stderr).toMatch(/^sdbridge: annotation io\.sdbridge\.daemon: expected [^\n]+\n$/)
  })

  test('both annotations are one too many', () => {
    const annotations = { 'io.sdbridge.unit': 'web', 'io.sdbridge.daemon': 'web' }
    const { stderr, status } = sdbridge(['hook', 'precreate'], JSON.stringify({ annotations }))
    expect(status).toBe(125)
    expect(stderr).toContain('expected one of the annotations')
  })

  test.each(['unit', 'daemon'])('without a service manager it says so: %s', (name) => {
    const config = JSON.stringify({ annotations: { [`io.sdbridge.${name}`]: 'web' } })
    const env = { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' }
    const { stdout, stderr, status } = sdbridge(['hook', 'precreate'], config, env)

    expect({ stdout, status }).toEqual({ stdout: '', status: 125 })
    expect(stderr).toMatch(/^sdbridge: [^\n]*web\.service[^\n]*\n$/)
  })
})

describe('sdbridge hook install', () => {
  test('writes what podman reads, once, and takes it away', () => {
    const directory = join(temporaryDirectory(), 'hooks.d')
    const file = join(directory, 'sdbridge.json')
    const planned = sdbridge(['hook', 'install', '--directory', directory, '--dry-run'])
    expect(planned.stdout).toContain(`--- /dev/null\n+++ ${file}\n+{\n`)
    expect(existsSync(directory)).toBe(false)

    const done = sdbridge(['hook', 'install', '--directory', directory])
    expect(done.stdout).toContain(`wrote ${file}\n`)
    const hook = JSON.parse(readFileSync(file, 'utf8')) as {
      hook: { path: string; args: string[] }
      when: { annotations: Record<string, string> }
      stages: string[]
    }
    expect(hook.stages).toEqual(['precreate'])
    expect(hook.when.annotations).toEqual({
      [String.raw`^(?:io\.sdbridge\.unit|io\.sdbridge\.daemon)$`]: '.',
    })
    // It runs as it is written.
    const { path, args } = hook.hook
    const run = spawnSync(path, args.slice(1), { input: '{}', encoding: 'utf8', env: {} })
    expect(run).toMatchObject({ stdout: '{}', stderr: '', status: 0 })

    const again = sdbridge(['hook', 'install', '--directory', directory])
    expect(again.stdout).toContain(`${file} is as it should be\n`)
    expect(sdbridge(['hook', 'uninstall', '--directory', directory]).stdout).toContain(
      `removed ${file}\n`,
    )
    expect(readdirSync(directory)).toEqual([])
    expect(sdbridge(['hook', 'uninstall', '--directory', directory]).stdout).toBe(
      'there is nothing to remove\n',
    )
  })

  test.each(['createRuntime', 'poststop'])('%s: for podman and CRI-O', (stage) => {
    const directory = temporaryDirectory()
    const name = stage === 'createRuntime' ? 'create-runtime' : stage
    const file = join(directory, `sdbridge-${name}.json`)
    sdbridge(['hook', 'install', '--directory', directory, '--on-failure', 'ignore'])
    const hook = JSON.parse(readFileSync(file, 'utf8')) as HookFile
    expect(hook).toMatchObject({
      version: '1.0.0',
      when: { annotations: { [String.raw`^io\.sdbridge\.daemon$`]: '.' } },
      stages: [stage],
    })
    // Engines drop an empty environment, and then hand on their own.
    expect(hook.hook.env).not.toEqual([])
    // It runs as it is written: none of the daemon's business.
    const { path, args } = hook.hook
    const input = JSON.stringify({ id: 'x', bundle: directory })
    writeFileSync(join(directory, 'config.json'), '{}')
    const run = spawnSync(path, args.slice(1), { input, encoding: 'utf8', env: {} })
    expect(run).toMatchObject({ stdout: '', stderr: '', status: 0 })
    expect(args.includes('--on-failure=ignore')).toBe(stage === 'createRuntime')

    // Installed anew, it is as it is said then.
    sdbridge(['hook', 'install', '--directory', directory])
    expect(readFileSync(file, 'utf8')).not.toContain('ignore')
  })

  test('--no-precreate leaves out, and takes away, what CRI-O does not start with', () => {
    const directory = temporaryDirectory()
    const files = ['sdbridge-create-runtime.json', 'sdbridge-poststop.json']
    for (const option of [[], ['--no-precreate'], ['--no-precreate']]) {
      const { status } = sdbridge(['hook', 'install', '--directory', directory, ...option])
      expect(status).toBe(0)
    }
    expect(readdirSync(directory).toSorted()).toEqual(files)
  })

  test('where there is a CRI-O, its directory gets no precreate', () => {
    const bin = temporaryDirectory()
    writeFileSync(join(bin, 'crio'), '', { mode: 0o755 })
    const env = { PATH: `${bin}:/usr/bin` }
    const { stdout, stderr, status } = sdbridge(['hook', 'install', '--dry-run'], '', env)
    expect({ stdout, status }).toEqual({ stdout: '', status: 125 })
    expect(stderr).toContain('add --no-precreate')
    const words = ['hook', 'install', '--dry-run', '--no-precreate']
    expect(sdbridge(words, '', env).stdout).not.toContain('precreate')
  })

  test('what is not ours stays', () => {
    const directory = temporaryDirectory()
    const file = join(directory, 'sdbridge.json')
    for (const text of ['{}', 'none', '{"hook":{"args":["x"]}}']) {
      writeFileSync(file, text)
      expect(sdbridge(['hook', 'install', '--directory', directory]).status).toBe(125)
      expect(sdbridge(['hook', 'uninstall', '--directory', directory]).status).toBe(0)
      expect(readFileSync(file, 'utf8')).toBe(text)
    }
  })
})

interface HookFile {
  hook: { path: string; args: string[]; env?: string[] }
}
