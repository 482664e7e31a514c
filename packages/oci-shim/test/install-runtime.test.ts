import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { registerInDocker, unregisterFromDocker } from '../src/install/docker-registration.js'
import { applyChanges, isDue } from '../src/install/file-change.js'
import { FILES, InstallHost } from './install.js'

describe('sdbridge runtime install --docker', () => {
  test.each([
    ['empty', '{}'],
    ['empty, with a line feed', '{\n}\n'],
    ['on one line', '{"debug":true}'],
    ['on one line, with spaces', '{ "debug": true }\n'],
    ['with two spaces', '{\n  "debug": true,\n  "hosts": ["fd://"]\n}\n'],
    ['with tabs, and no line feed at the end', '{\n\t"debug": true\n}'],
    ['with carriage returns', '{\r\n  "debug": true\r\n}\r\n'],
    ['with no runtimes in the object', '{\n  "runtimes": {},\n  "debug": true\n}\n'],
    ['with no runtimes in the object, and a space', '{ "runtimes": { } }\n'],
    [
      'with other runtimes',
      '{\n  "runtimes": {\n    "kata": { "runtimeType": "io.containerd.kata.v2", "options": {} }\n  },\n  "debug": true\n}\n',
    ],
    [
      'with numbers that JavaScript cannot hold, and names that look like others',
      '{"a": 18446744073709551615, "b": 1.0, "c": 1e3, "d": "\\"runtimes\\": {", "e": [{"runtimes": {}}, "}"], "f": null}',
    ],
  ])(
    'a daemon.json %s gets the runtime, keeps all else, and is as it was after uninstall',
    (_, text) => {
      const host = new InstallHost()
      const file = host.write(FILES.docker, text)
      const name = 'sdbridge'
      const launcher = join(host.launchers, 'runc')
      const change = registerInDocker({ name, launcher, file })
      applyChanges([change])

      const after = host.read(FILES.docker)
      const before = JSON.parse(text) as { runtimes?: object }
      expect(JSON.parse(after)).toEqual({
        ...before,
        runtimes: { ...before.runtimes, sdbridge: { path: launcher } },
      })
      // What was there is there, in its order.
      expect(isWithin(text, after)).toBe(true)
      expect(isDue(registerInDocker({ name, launcher, file }))).toBe(false)

      applyChanges([unregisterFromDocker({ name, directory: host.launchers, file })!])
      expect(host.read(FILES.docker)).toBe(text)
    },
  )

  test('twice is as once', () => {
    const host = new InstallHost()
    host.runtime('install', '--docker')
    const { stdout } = host.runtime('install', '--docker')

    expect(stdout).toContain(`${host.launchers}/runc is as it should be\n`)
    expect(stdout).toContain(`${host.path(FILES.docker)} is as it should be\n`)
  })

  test('without a daemon.json there is one, and none after uninstall', () => {
    const host = new InstallHost()
    host.runtime('install', '--docker')

    expect(host.read(FILES.docker)).toBe(
      `{\n  "runtimes": { "sdbridge": { "path": "${host.launchers}/runc" } }\n}\n`,
    )
    expect(statSync(host.path(FILES.docker)).mode & 0o777).toBe(0o644)
    host.runtime('uninstall')
    expect(existsSync(host.path(FILES.docker))).toBe(false)
  })

  test('what was changed in between stays, whoever has formatted the file anew', () => {
    const host = new InstallHost()
    host.write(FILES.docker, '{ "debug": true }')
    host.runtime('install', '--docker')
    const config = JSON.parse(host.read(FILES.docker)) as { runtimes: Record<string, object> }
    host.write(FILES.docker, JSON.stringify({ ...config, hosts: [] }, null, 4))
    host.runtime('uninstall')
    expect(JSON.parse(host.read(FILES.docker))).toEqual({ debug: true, hosts: [] })

    host.runtime('install', '--docker')
    const runtimes = { ...config.runtimes, other: { path: '/bin/true' } }
    host.write(FILES.docker, JSON.stringify({ runtimes, debug: false }))
    host.runtime('uninstall')
    expect(JSON.parse(host.read(FILES.docker))).toEqual({
      runtimes: { other: { path: '/bin/true' } },
      debug: false,
    })
  })

  test('a launcher that has moved is known by its new path', () => {
    const host = new InstallHost()
    host.runtime('install', '--docker', '--directory', host.path('old'))
    host.runtime('install', '--docker')

    expect(host.read(FILES.docker)).toBe(
      `{\n  "runtimes": { "sdbridge": { "path": "${host.launchers}/runc" } }\n}\n`,
    )
  })

  test.each([
    ['with comments', '{\n  // for now\n  "debug": true\n}', 'it has comments'],
    ['that is broken', '{"debug": tru}', 'is not the JSON that dockerd reads'],
    ['that is empty', '', 'is not the JSON that dockerd reads'],
    ['that is a list', '[]', 'expected an object'],
    ['whose runtimes are none', '{"runtimes": []}', 'expected an object'],
    [
      'with another runtime of that name',
      '{"runtimes": {"sdbridge": {"path": "/bin/true"}}}',
      'has a runtime sdbridge already',
    ],
    [
      'with a runtime of that name that has options',
      '{"runtimes": {"sdbridge": {"runtimeType": "io.containerd.runc.v2"}}}',
      'has a runtime sdbridge already',
    ],
  ])('a daemon.json %s is refused, and nothing is written', (_, text, complaint) => {
    const host = new InstallHost()
    host.write(FILES.docker, text)

    const { stdout, stderr, status } = host.runtime('install', '--docker')
    expect({ stdout, status }).toEqual({ stdout: '', status: 125 })
    expect(stderr).toMatch(/^sdbridge: [^\n]+\n$/)
    expect(stderr).toContain(complaint)
    expect(host.read(FILES.docker)).toBe(text)
    expect(existsSync(host.launchers)).toBe(false)
  })

  test('a file that is not UTF-8 is refused', () => {
    const host = new InstallHost()
    host.write(FILES.docker, '{}')
    rmSync(host.path(FILES.docker))
    symlinkSync('/proc/self/exe', host.path(FILES.docker))

    expect(host.runtime('install', '--docker').stderr).toContain('it is not UTF-8')
  })

  test('a link is written through, and a mode is kept', () => {
    const host = new InstallHost()
    chmodSync(host.write('managed.json', '{}'), 0o640)
    mkdirSync(host.path('docker'))
    symlinkSync(host.path('managed.json'), host.path(FILES.docker))
    host.runtime('install', '--docker')

    expect(lstatSync(host.path(FILES.docker)).isSymbolicLink()).toBe(true)
    expect(host.read('managed.json')).toContain('sdbridge')
    expect(statSync(host.path('managed.json')).mode & 0o777).toBe(0o640)
  })

  test('what cannot be written leaves nothing behind', () => {
    const host = new InstallHost()
    host.write(FILES.docker, '{}')
    host.write('containers.conf.d', 'no directory')

    const { stderr, status } = host.runtime('install', '--docker', '--podman')
    expect(status).toBe(125)
    expect(stderr).toMatch(/^sdbridge: \S+sdbridge\.conf cannot be written: [^\n]+\n$/)
    expect(host.read(FILES.docker)).toBe('{}')
    expect(existsSync(join(host.launchers, 'runc'))).toBe(false)
  })
})

describe('sdbridge runtime install --containerd', () => {
  const V2 = `# ours
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"   # of old
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true
`

  test.each([
    ['version 2', V2, 'io.containerd.grpc.v1.cri', true],
    ['version 2 without a line feed at the end', 'version = 2', 'io.containerd.grpc.v1.cri', false],
    ['version 3', 'version = 3\n', 'io.containerd.cri.v1.runtime', false],
  ])('%s: a block at the end, which goes again to the byte', (_, text, plugin, isSystemd) => {
    const host = new InstallHost()
    host.write(FILES.containerd, text)
    expect(host.runtime('install', '--containerd')).toMatchObject({ stderr: '', status: 0 })
    const after = host.read(FILES.containerd)

    expect(after.startsWith(text)).toBe(true)
    expect(runtimeIn(after, plugin)).toEqual({
      runtime_type: 'io.containerd.runc.v2',
      container_annotations: ['io.sdbridge.*'],
      pod_annotations: ['io.sdbridge.*'],
      options: {
        BinaryName: join(host.launchers, 'runc'),
        ...(isSystemd ? { SystemdCgroup: true } : {}),
      },
    })
    host.runtime('install', '--containerd')
    expect(host.read(FILES.containerd)).toBe(after)
    host.runtime('uninstall', '--containerd')
    expect(host.read(FILES.containerd)).toBe(text)
  })

  test('version 3 that imports a directory: a file there', () => {
    const host = new InstallHost()
    const text = 'version = 3\nimports = ["conf.d/*.toml"]\n'
    host.write(FILES.containerd, text)
    host.runtime('install', '--containerd')

    expect(host.read(FILES.containerd)).toBe(text)
    const dropIn = host.read('containerd/conf.d/sdbridge.toml')
    expect(parse(dropIn)['version']).toBe(3)
    expect(runtimeIn(dropIn, 'io.containerd.cri.v1.runtime')).toMatchObject({
      options: { BinaryName: join(host.launchers, 'runc') },
    })
    host.runtime('uninstall')
    expect(existsSync(host.path('containerd/conf.d/sdbridge.toml'))).toBe(false)
  })

  test.each([
    ['none', undefined, 'containerd config default'],
    ['version 1', 'disabled_plugins = ["cri"]\n', 'found 1: containerd config migrate'],
    ['no TOML', 'version = \n', 'cannot be read as TOML'],
    [
      'a runtime of that name',
      `${V2}[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.sdbridge]\n`,
      'has a runtime sdbridge already',
    ],
    [
      'runtimes in one line, to which no table can be added',
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd]\nruntimes = { runc = {} }\n',
      'config.toml',
    ],
  ])('%s: refused', (_, text, complaint) => {
    const host = new InstallHost()
    if (text !== undefined) host.write(FILES.containerd, text)
    const { stderr, status } = host.runtime('install', '--containerd')

    expect(status).toBe(125)
    expect(stderr).toMatch(/^sdbridge: [^\n]+\n$/)
    expect(stderr).toContain(complaint)
    if (text !== undefined) expect(host.read(FILES.containerd)).toBe(text)
  })
})

describe('sdbridge runtime install --podman --crio', () => {
  test('files of our own, which are TOML, and go again', () => {
    const host = new InstallHost()
    host.runtime('install', '--podman', '--crio', '--name', 'sd_1-x')
    const launcher = join(host.launchers, 'runc')

    expect(parse(host.read(FILES.podman))).toEqual({
      engine: { runtimes: { 'sd_1-x': [launcher] } },
    })
    expect(parse(host.read(FILES.crio))).toEqual({
      crio: {
        runtime: {
          runtimes: {
            'sd_1-x': { runtime_type: 'oci', runtime_path: launcher, runtime_root: '/run/runc' },
          },
        },
      },
    })
    host.runtime('uninstall', '--name', 'sd_1-x')
    for (const file of [host.path(FILES.podman), host.path(FILES.crio), host.launchers])
      expect(existsSync(file)).toBe(false)
  })

  test('a file of somebody else is refused, and stays', () => {
    const host = new InstallHost()
    host.write(FILES.podman, '[engine]\n')

    expect(host.runtime('install', '--podman')).toMatchObject({ status: 125 })
    expect(host.runtime('uninstall')).toMatchObject({ status: 0 })
    expect(host.read(FILES.podman)).toBe('[engine]\n')
  })
})

describe('the launcher', () => {
  test('is a program of its own, and written anew where it was spoilt', () => {
    const host = new InstallHost()
    const { stdout } = host.runtime('install')
    const file = join(host.launchers, 'runc')
    const text = host.read('lib/runc')

    expect(stdout).toContain(`wrote ${file}\n`)
    expect(text).toContain(`exec ${host.lowLevel} "$@"`)
    expect(statSync(file).mode & 0o7777).toBe(0o755)
    host.write('lib/runc', `${text}# spoilt\n`)
    expect(host.runtime('install').stdout).toContain(`changed ${file}\n`)
    expect(host.read('lib/runc')).toBe(text)
  })

  test.each([
    ['that is not there', '/nonexistent/runc', 127, 'does not exist'],
    ['that is no program', '/etc/passwd', 126, 'not a program'],
  ])('of a runtime %s', (_, lowLevel, status, complaint) => {
    const outcome = new InstallHost().runtime('install', '--low-level', lowLevel)

    expect(outcome.status).toBe(status)
    expect(outcome.stderr).toContain(complaint)
  })

  test('of itself is refused, and what is no launcher stays', () => {
    const host = new InstallHost()
    host.runtime('install')
    const own = host.runtime('install', '--low-level', join(host.launchers, 'runc'))
    expect(own).toMatchObject({ status: 125 })
    expect(own.stderr).toContain('a launcher of sdbridge itself')

    host.write('lib/runc', '#!/bin/sh\n')
    expect(host.runtime('install').stderr).toContain('no launcher of sdbridge')
    host.runtime('uninstall')
    expect(host.read('lib/runc')).toBe('#!/bin/sh\n')
  })

  test('others may change what it starts: that is said', () => {
    const host = new InstallHost()
    const file = host.write('weak/runc', '#!/bin/sh\n')
    chmodSync(file, 0o777)
    const { stderr, status } = host.runtime('install', '--low-level', file)

    expect(status).toBe(0)
    expect(stderr).toContain(`${file} can be changed by others than root`)
  })
})

describe('--dry-run', () => {
  test('tells what install would write, and writes nothing', () => {
    const host = new InstallHost()
    host.write(FILES.docker, '{\n  "debug": true\n}\n')
    const { stdout, status } = host.runtime('install', '--docker', '--podman', '--dry-run')
    const file = host.path(FILES.docker)

    expect(status).toBe(0)
    expect(stdout).toContain(
      [
        `--- ${file}`,
        `+++ ${file}`,
        ' {',
        '-  "debug": true',
        '+  "debug": true,',
        `+  "runtimes": { "sdbridge": { "path": "${host.launchers}/runc" } }`,
        ' }\n',
      ].join('\n'),
    )
    expect(stdout).toContain(`--- /dev/null\n+++ ${host.launchers}/runc\n+#!/bin/sh\n`)
    expect(existsSync(host.launchers)).toBe(false)
    expect(existsSync(host.path(FILES.podman))).toBe(false)
  })

  test('tells what uninstall would remove, and removes nothing', () => {
    const host = new InstallHost()
    host.runtime('install', '--podman')
    const { stdout } = host.runtime('uninstall', '--dry-run')

    expect(stdout).toContain(`--- ${host.path(FILES.podman)}\n+++ /dev/null\n`)
    expect(stdout).toContain(`--- ${host.launchers}/runc\n+++ /dev/null\n-#!/bin/sh\n`)
    expect(existsSync(host.path(FILES.podman))).toBe(true)
  })
})

describe('sdbridge runtime uninstall', () => {
  test('where nothing is installed', () => {
    expect(new InstallHost().runtime('uninstall')).toEqual({
      stdout: 'there is nothing to remove\n',
      stderr: '',
      status: 0,
    })
  })

  test('of one engine: the launcher stays for the others, under any name', () => {
    const host = new InstallHost()
    host.runtime('install', '--docker', '--crio')
    host.runtime('uninstall', '--docker')
    expect(existsSync(host.path(FILES.docker))).toBe(false)
    expect(existsSync(join(host.launchers, 'runc'))).toBe(true)

    host.runtime('install', '--docker', '--name', 'other')
    host.runtime('uninstall', '--crio')
    expect(existsSync(join(host.launchers, 'runc'))).toBe(true)
    host.runtime('uninstall', '--name', 'other')
    expect(existsSync(host.launchers)).toBe(false)
  })

  test('of one engine: a launcher that it has not known stays', () => {
    const host = new InstallHost()
    host.runtime('install')
    host.runtime('uninstall', '--podman')

    expect(existsSync(join(host.launchers, 'runc'))).toBe(true)
  })

  test.each([
    ['docker', 'sdbridge'],
    ['podman', 'sdbridge'],
    ['podman', 'LAUNCHER'],
  ] as const)('not while a container of %s has it by %s, but by force', (engine, runtime) => {
    const host = new InstallHost()
    host.runtime('install', `--${engine}`)
    const name = runtime === 'LAUNCHER' ? join(host.launchers, 'runc') : runtime
    host.engine(engine, ['/other runc', `/web ${name}`])

    const { stdout, stderr, status } = host.runtime('uninstall')
    expect({ stdout, status }).toEqual({ stdout: '', status: 125 })
    expect(stderr).toContain(`neither stopped nor removed: web (${engine}): remove`)
    expect(existsSync(host.path(FILES[engine]))).toBe(true)
    expect(host.runtime('uninstall', '--force')).toMatchObject({ stderr: '', status: 0 })
    expect(existsSync(host.path(FILES[engine]))).toBe(false)
  })

  test.each([[[]], [['--force']]])('not while it is the default in daemon.json %j', (options) => {
    const host = new InstallHost()
    host.runtime('install', '--docker')
    const config = JSON.parse(host.read(FILES.docker)) as object
    host.write(FILES.docker, JSON.stringify({ ...config, 'default-runtime': 'sdbridge' }))

    const { stderr, status } = host.runtime('uninstall', ...options)
    expect(status).toBe(125)
    expect(stderr).toContain("sdbridge is docker's default runtime")
  })

  test('not while dockerd says that it is the default', () => {
    const host = new InstallHost()
    host.runtime('install', '--docker')
    host.engine('docker', [], 'sdbridge')

    expect(host.runtime('uninstall', '--force').stderr).toContain("docker's default runtime")
  })

  test('not while an engine does not answer, but by force', () => {
    const host = new InstallHost()
    host.runtime('install', '--docker')
    host.brokenEngine('docker')

    expect(host.runtime('uninstall').stderr).toMatch(/no daemon here.*--force/)
    expect(host.runtime('uninstall', '--force')).toMatchObject({ status: 0 })
  })
})

function runtimeIn(text: string, plugin: string): unknown {
  const { plugins } = parse(text) as unknown as {
    plugins: Record<string, { containerd: { runtimes: Record<string, unknown> } }>
  }
  return plugins[plugin]?.containerd.runtimes['sdbridge']
}

/** Whether one text is left when some is taken out of the other. */
function isWithin(part: string, whole: string): boolean {
  let place = 0
  for (const character of whole) if (character === part[place]) place += 1
  return place === part.length
}
