import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { parseRun } from '../src/cli/run-command.js'
import { controlSocketOf, type Places, PLACES } from '../src/daemon/places.js'
import { findBridgeCommand } from '../src/doctor/bridge-command.js'
import { checkDaemon } from '../src/doctor/daemon-checks.js'
import { checkEngine } from '../src/doctor/engine-checks.js'
import { checkHost, type HostPlaces } from '../src/doctor/host-checks.js'
import { watchdogSetting } from '../src/doctor/watchdog-setting.js'
import { findDenials } from '../src/doctor/selinux-checks.js'
import type { RunOptions } from '../src/run/run-options.js'
import { parseProperties } from '../src/run/systemctl-properties.js'
import { examineEngine } from '../src/engines/engine-problem.js'
import { parseEngineCommand } from '../src/engines/engine-command.js'

describe('the part of a command line that starts a bridge', () => {
  const bridge = '/usr/bin/sdbridge run -- runc run web'
  test.each([
    [['/usr/bin/sdbridge', 'run', '--', 'true'], ['/usr/bin/sdbridge'], ['--', 'true'], 'none'],
    [['node', '/opt/sdbridge.js', 'run', 'true'], ['node', '/opt/sdbridge.js'], ['true'], 'none'],
    [['/bin/sh', '-c', `exec ${bridge}`], ['/usr/bin/sdbridge'], RUNC, 'exec'],
    [['/bin/sh', '-c', bridge], ['/usr/bin/sdbridge'], RUNC, 'last'],
    [['bash', '-ec', `set -a; . /etc/x; exec ${bridge}`], ['/usr/bin/sdbridge'], RUNC, 'exec'],
    [['bash', '-c', `${bridge} && true`], ['/usr/bin/sdbridge'], RUNC, 'parent'],
    [
      ['bash', '-c', `${bridge} | logger`],
      ['/usr/bin/sdbridge'],
      [...RUNC, '|', 'logger'],
      'parent',
    ],
    // As systemctl prints it.
    [['/bin/sh', '-c', ...`exec ${bridge}`.split(' ')], ['/usr/bin/sdbridge'], RUNC, 'exec'],
  ] as const)('%j', (words, program, rest, shell) => {
    expect(findBridgeCommand(words)).toEqual({ program, words: rest, shell })
  })

  test.each([[['/usr/bin/docker', 'run', 'x']], [['/usr/bin/sdbridge', 'cleanup']], [[]]])(
    '%j starts none',
    (words) => expect(findBridgeCommand(words)).toBeUndefined(),
  )
})

const RUNC = ['--', 'runc', 'run', 'web']

describe('a unit that relies on the daemon', () => {
  const places = (list?: string): Places => {
    const directory = temporaryDirectory()
    const allowList = join(directory, 'units')
    if (list !== undefined) writeFileSync(allowList, list)
    return { ...PLACES, notifyBase: directory, runtime: directory, allowList }
  }
  const bridged = (...words: string[]): Parameters<typeof checkDaemon>[0] => ({
    options: parseRun([...words, '--', 'docker', 'run', 'img']) as RunOptions,
    state: {
      ...{ unit: 'web.service', user: false, properties: parseProperties('') },
      ...{ start: [], startPre: [], stopPost: [], environment: {} },
    },
  })

  test('as it should be', () => {
    const sound = places('web.service\n')
    writeFileSync(controlSocketOf(sound), '')
    expect(checkDaemon(bridged('--daemon'), sound)).toEqual([])
  })

  test('which is none', () => {
    expect(checkDaemon(bridged(), places())).toEqual([])
  })

  test.each([
    ['', 'web.service may not be spoken for'],
    ['web', 'line 1: expected the name of a .service unit'],
  ])('that is not there, with the list %j', (list, found) => {
    expect(checkDaemon(bridged('--daemon'), places(list))).toMatchObject([
      { code: 'daemon', severity: 'fault' },
      { code: 'daemon-list', severity: 'fault', found: expect.stringContaining(found) },
    ])
  })
})

test('what systemctl prints of a unit', () => {
  const text =
    'Type=notify\nEnvironment=A=b C=\nExecStart={ path=/a ; }\nExecStart={ path=/b ; }\nUser=\n'
  expect(Object.fromEntries(parseProperties(text))).toEqual({
    Type: 'notify',
    Environment: 'A=b C=',
    ExecStart: '{ path=/a ; }\n{ path=/b ; }',
    User: '',
  })
})

describe('WatchdogSec= of files', () => {
  test.each([
    ['[Service]\nWatchdogSec=10\n', '', '10'],
    ['[Service]\n  WatchdogSec = 1min 30s \n#WatchdogSec=0\n', '', '1min 30s'],
    ['[Service]\nWatchdogSec=10\n', '[Service]\nWatchdogSec=0\n', undefined],
    ['[Service]\nWatchdogSec=10\n', '[Service]\nWatchdogSec=\n', undefined],
    ['[Service]\n', '[Service]\nWatchdogSec=5\n', '5'],
    ['[Service]\nWatchdogSec=infinity\n', '', undefined],
  ])('%j, then %j', (unit, dropIn, expected) => {
    const path = temporaryDirectory()
    writeFileSync(join(path, 'unit'), unit)
    writeFileSync(join(path, 'drop-in'), dropIn)
    const values: Record<string, string> = {
      FragmentPath: join(path, 'unit'),
      DropInPaths: `${join(path, 'drop-in')} ${join(path, 'none')}`,
    }
    expect(watchdogSetting({ value: (name) => values[name] ?? '' })).toBe(expected)
  })
})

describe('the host', () => {
  const sound = (): HostPlaces => {
    const directory = temporaryDirectory()
    return { booted: directory, base: join(directory, 'base'), enforce: join(directory, 'none') }
  }

  test('as it should be', () => {
    expect(checkHost(sound())).toEqual([])
  })

  test('not booted by systemd', () => {
    expect(checkHost({ ...sound(), booted: '/nowhere' })).toMatchObject([
      { code: 'no-systemd', severity: 'fault', found: expect.stringContaining('/nowhere') },
    ])
  })

  test('an addon that cannot be loaded', () => {
    const loadAddon = (): never => {
      throw new Error('wrong ELF class\nRequire stack:')
    }
    expect(checkHost({ ...sound(), loadAddon })).toMatchObject([
      { code: 'addon', severity: 'fault', found: expect.stringMatching(/: wrong ELF class$/) },
    ])
  })

  test('a base that others may write to, and one that is no directory', () => {
    const places = sound()
    mkdirSync(places.base!)
    expect(checkHost(places)).toEqual([])
    chmodSync(places.base!, 0o777)
    expect(checkHost(places)).toMatchObject([{ code: 'private-directory', severity: 'fault' }])
    const file = join(temporaryDirectory(), 'file')
    writeFileSync(file, '')
    expect(checkHost({ ...places, base: file })).toMatchObject([{ code: 'private-directory' }])
  })

  test('denials of SELinux, where it is enforced', () => {
    const directory = temporaryDirectory()
    const enforce = join(directory, 'enforce')
    const auditLog = join(directory, 'audit.log')
    const places = { ...sound(), enforce, auditLog }
    writeFileSync(enforce, '1')
    expect(checkHost(places)).toMatchObject([{ code: 'selinux', severity: 'hint' }])
    writeFileSync(auditLog, `${DENIAL.replace('notify.sock', 'other.sock')}\n`)
    expect(checkHost(places)).toEqual([])
    writeFileSync(auditLog, `${DENIAL}\n${DENIAL}\n`)
    expect(checkHost(places)).toMatchObject([
      {
        code: 'selinux-denial',
        severity: 'risk',
        found: expect.stringContaining('(2 times; the last: { write } sock_file)'),
      },
    ])
    writeFileSync(enforce, '0')
    expect(checkHost(places)).toEqual([])
  })
})

const DENIAL =
  'type=AVC msg=audit(1700000000.123:456): avc:  denied  { write } for  pid=4242 comm="web" name="notify.sock" dev="tmpfs" ino=1234 ' +
  'scontext=system_u:system_r:container_t:s0:c1,c2 tcontext=system_u:object_r:var_run_t:s0 tclass=sock_file permissive=0'

test.each([
  ['of another process', DENIAL.replace(':container_t:', ':httpd_t:')],
  ['what was allowed', DENIAL.replace('denied', 'granted')],
])('no denial of ours: %s', (_, line) => expect(findDenials(line)).toEqual([]))

describe('the engine', () => {
  const docker = (info: object): string => {
    const file = join(temporaryDirectory(), 'docker')
    const script = `#!/bin/sh\ncase "$1" in context) echo '"unix:///run/docker.sock"' ;; info) cat <<'END'\n${JSON.stringify(info)}\nEND\nesac\n`
    writeFileSync(file, script, { mode: 0o755 })
    return file
  }
  const sound = { ServerVersion: '28.5.2', OSType: 'linux', KernelVersion: release() }

  test.each([
    ['28.5.2', undefined],
    ['27.5.1', 'version'],
    ['26.1.5+dfsg1', undefined],
    ['20.10.24+dfsg1', 'version'],
  ])('docker %s for systemd as the payload', async (version, code) => {
    const command = parseEngineCommand([
      docker({ ...sound, ServerVersion: version }),
      'run',
      'img',
    ])!
    const { problem } = await examineEngine(command, { systemd: true })
    expect(problem?.code).toBe(code)
    expect((await examineEngine(command)).problem).toBeUndefined()
  })

  test('docker with userns-remap for systemd as the payload', async () => {
    const SecurityOptions = ['name=seccomp,profile=builtin', 'name=userns', 'name=cgroupns']
    const command = parseEngineCommand([docker({ ...sound, SecurityOptions }), 'run', 'img'])!
    const { problem } = await examineEngine(command, { systemd: true })
    expect(problem).toMatchObject({ code: 'maps-users' })
    expect((await examineEngine(command)).problem).toBeUndefined()
  })

  test.each([
    ['runc version 1.0.0-rc93', []],
    ['runc version 0.1.1', ['engine-version']],
    ['says nothing of it', []],
  ])('%s', async (version, codes) => {
    const path = temporaryDirectory()
    writeFileSync(join(path, 'runc'), `#!/bin/sh\necho '${version}'\n`, { mode: 0o755 })
    const file = join(path, 'runc')
    const found = await checkEngine({
      state: {
        ...{ unit: 'web.service', user: false, start: [], startPre: [], stopPost: [] },
        properties: new Map(),
        environment: process.env,
      },
      value: (name) => (name === 'Delegate' ? 'yes' : ''),
      bridge: { program: [], words: [], shell: 'none' },
      options: undefined,
      command: parseEngineCommand([file, 'run', 'web']),
      sockets: [],
    })
    expect(found.map(({ code }) => code)).toEqual(codes)
  })
})
