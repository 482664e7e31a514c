import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import type { RegisterRequest } from '../src/control/control-message.js'
import { formatContainers } from '../src/control/format-containers.js'
import { AllowList, readAllowList } from '../src/daemon/allow-list.js'
import { placesOf } from '../src/daemon/caller.js'
import { SocketStore } from '../src/daemon/socket-store.js'
import { daemonServiceUnit } from '../src/daemon/unit-files.js'
import { checkAllowed, unitOfRequest } from '../src/daemon/unit-of-request.js'

describe('the list of units', () => {
  const list = new AllowList(`# those of the web
web.service  # by itself
job@*.service annotation
a?.service
odd\\x2dname.service
`)
  test.each<[unit: string, byCgroup: boolean, byAnnotation: boolean]>([
    ['web.service', true, false],
    ['job@1.service', true, true],
    ['job@.service', true, true],
    ['ab.service', true, false],
    ['abc.service', false, false],
    ['xweb.service', false, false],
    ['webXservice', false, false],
    ['odd\\x2dname.service', true, false],
    ['', false, false],
  ])('%s: %s, %s', (unit, byCgroup, byAnnotation) => {
    expect([list.allows(unit, 'cgroup'), list.allows(unit, 'annotation')]).toEqual([
      byCgroup,
      byAnnotation,
    ])
  })

  test.each([
    ['web', "line 1: expected the name of a .service unit, found 'web'"],
    [
      '\nweb.service everybody',
      "line 2: expected nothing or 'annotation' behind the unit, found 'everybody'",
    ],
    ['web.socket', 'expected the name of a .service unit'],
    ['*', 'expected the name of a .service unit'],
  ])('%j is refused', (text, error) => {
    expect(() => new AllowList(text)).toThrow(error)
  })

  test('is read if nobody but its owner may write to it', () => {
    const file = join(temporaryDirectory(), 'units')
    expect(readAllowList(file).size).toBe(0)
    writeFileSync(file, 'web.service\n')
    chmodSync(file, 0o644)
    expect(readAllowList(file).size).toBe(1)
    chmodSync(file, 0o664)
    expect(() => readAllowList(file)).toThrow(/expected .*units to be root's.*mode 664/)
    chmodSync(file, 0o600)
    chmodSync(join(file, '..'), 0o777)
    expect(() => readAllowList(file)).toThrow(/mode 777/)
  })
})

describe('a caller is, by its cgroups', () => {
  const web = { unit: 'web.service' }
  test.each<[cgroups: string[], place: unknown]>([
    [['/system.slice/web.service'], web],
    [['/system.slice/web.service/.control'], web],
    [['/system.slice/web.service/supervisor'], web],
    [['/system.slice/system-web.slice/web@1.service'], { unit: 'web@1.service' }],
    [['/system.slice/web.service', '/'], web],
    [['/system.slice/web.service', '/system.slice/web.service'], web],
    [['/system.slice/web.service', '/system.slice/other.service'], undefined],
    [['/system.slice/web.service/0123'], undefined],
    [['/system.slice/web.service/.control/0123'], undefined],
    [['/system.slice/docker.service'], 'host'],
    [['/system.slice/docker.service/0123'], undefined],
    [['/system.slice/docker-0123.scope'], undefined],
    [['/docker/0123'], undefined],
    [['/machine.slice/libpod-0123.scope/container'], undefined],
    [['/machine.slice/libpod-conmon-0123ab.scope'], 'host'],
    [['/machine.slice/libpod-conmon-0123ab.scope/x'], undefined],
    [['/system.slice/crio-conmon-0123ab.scope'], 'host'],
    [['/user.slice/user-0.slice/session-1.scope'], 'host'],
    [['/user.slice/user-1000.slice/session-3.scope'], 'host'],
    [['/user.slice/user-1000.slice/user@1000.service/app.slice/terminal.scope'], 'host'],
    [
      ['/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-0123.scope/container'],
      undefined,
    ],
    [['/user.slice/docker-0123.scope'], undefined],
    [['/'], undefined],
    [[], undefined],
  ])('%j: %j', (cgroups, place) => {
    expect(placesOf(cgroups)).toEqual(place)
  })
})

describe('a container’s unit', () => {
  const request = { command: 'register', name: 'x', container: { id: 'x', engine: 'y' } } as const
  const by = (unit: string | undefined, annotatedUnit?: string): unknown =>
    unitOfRequest(
      { ...request, ...(annotatedUnit !== undefined && { annotatedUnit }) } as RegisterRequest,
      {
        pid: 1,
        unit,
      },
    )

  test('is the one that starts it', () => {
    expect(by('web.service')).toEqual({ unit: 'web.service', claim: 'cgroup' })
    expect(by('web.service', 'web')).toEqual({ unit: 'web.service', claim: 'cgroup' })
    expect(() => by('web.service', 'db')).toThrow(
      'started by web.service, and its configuration names db.service',
    )
  })

  test('is the one that its configuration names, where an engine starts it', () => {
    expect(by(undefined, 'web')).toEqual({ unit: 'web.service', claim: 'annotation' })
    expect(() => by(undefined)).toThrow('the annotation io.sdbridge.daemon=UNIT')
  })

  test('must be on the list, and be neither an engine nor the daemon', () => {
    const list = new AllowList('web.service\ndocker.service annotation\nsdbridge.service')
    const check = (unit: string, claim: 'cgroup' | 'annotation'): void =>
      checkAllowed({ unit, claim }, list, 'sdbridge.service', '/etc/sdbridge/units')
    check('web.service', 'cgroup')
    expect(() => check('web.service', 'annotation')).toThrow(
      "web.service may not be spoken for: add the line 'web.service annotation' to /etc/sdbridge/units, and systemctl reload sdbridge",
    )
    expect(() => check('other.service', 'cgroup')).toThrow("add the line 'other.service'")
    expect(() => check('docker.service', 'annotation')).toThrow('nobody speaks for docker.service')
    expect(() => check('sdbridge.service', 'cgroup')).toThrow('nobody speaks for sdbridge.service')
  })
})

describe('the store of sockets', () => {
  test('has short names, none of them twice', async () => {
    const store = new SocketStore(3)
    store.add('c9')
    const first = await store.put(1)
    expect(first).toBe('ca')
    await store.put(1)
    expect(() => store.checkRoom()).toThrow('raise FileDescriptorStoreMax= of sdbridge.service')
    await store.remove('c9')
    store.checkRoom()
  })

  test('ends before its names fill the environment of the next start', () => {
    const store = new SocketStore(1_000_000)
    for (let count = 0; count < 16_300; count++) store.add(`c${(100_000 + count).toString(36)}`)
    store.checkRoom()
    for (let count = 0; count < 4000; count++) store.add(`c${(200_000 + count).toString(36)}`)
    expect(() => store.checkRoom()).toThrow('would not fit into its environment')
  })

  test('is none where the unit has none', async () => {
    const store = new SocketStore(0)
    store.checkRoom()
    expect(await store.put(1)).toBeUndefined()
  })
})

test('ps is a table, the status last', () => {
  const nowMs = 1_000_000_000
  const lines = formatContainers(
    [
      {
        name: 'web.service',
        container: { id: '0123456789abcdef0123456789abcdef', engine: 'podman' },
        unit: 'web.service',
        mainPid: 1,
        state: 'ready',
        status: 'serving',
        registeredAt: 0,
        readyAt: nowMs - 3_725_000,
        pingedAt: nowMs - 2500,
        received: 7,
        forwarded: 5,
        waiting: 0,
        droppedMessages: { 'embedded-nul': 2 },
        droppedFields: { 'not-allowed': 1 },
      },
    ],
    nowMs,
  )
  expect(lines).toEqual([
    'NAME         UNIT         ENGINE  CONTAINER                 STATE  READY  PING  FORWARDED  DROPPED                                 STATUS',
    'web.service  web.service  podman  0123456789abcdef01234567  ready  1h2m   2s    5          2 embedded-nul, 1 not-allowed (fields)  serving',
  ])
})

test.each([
  [
    '/usr/bin/node',
    '/usr/lib/sdbridge.js',
    254,
    'ExecStart=/usr/bin/node /usr/lib/sdbridge.js daemon',
    'yes',
  ],
  [
    '/root/.nvm/node',
    '/opt/a b/100%/$x.js',
    252,
    'ExecStart=/root/.nvm/node "/opt/a b/100%%/$$x.js" daemon',
    'read-only',
  ],
])('the unit of %s %s', (node, script, version, line, home) => {
  const lines = daemonServiceUnit({ node, script, version }).split('\n')
  expect(lines).toContain(line)
  expect(lines).toContain(`ProtectHome=${home}`)
  expect(lines.includes('FileDescriptorStorePreserve=yes')).toBe(version >= 254)
})
