import { readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { ContainerHost } from './containers/container-host.js'
import {
  blockOfPage,
  type CopiedUnit,
  unitOfExample,
  unitOfPage,
} from './containers/copied-units.js'
import { expectNothingLeft, type Inventory, takeInventory } from './containers/leftovers.js'
import { addSystemdImage } from './containers/systemd-payload.js'
import { KNOWS_LAUNCHER, writeLauncher } from './containers/runtime-launcher.js'
import { UserManager } from './containers/user-manager.js'
import { DaemonHost } from './daemon/daemon-host.js'
import { installContainerExample, installSdbridge } from './install-container-example.js'
import { Machine } from './machine/machine.js'
import { describeOnEachSystemd } from './machines.js'
import { inside, repositoryBind } from './repository.js'

const LONGEST_TEST_MS = 120_000
const GET = inside('test/system/fixtures/get.mjs')
const IMAGE = 'registry.example/web:1'

describeOnEachSystemd('examples/container-runc, its files as they are', (machine) => {
  beforeAll(() => installSdbridge(machine()))

  test('is started by its socket, watched, reloaded and stopped, and leaves nothing', async () => {
    await installContainerExample(machine())
    expect(await machine().show('web.service', 'ActiveState')).toEqual({ ActiveState: 'inactive' })
    const { stdout } = await machine().run(machine().nodePath, [GET, 'http://127.0.0.1:8080/'])
    expect(stdout).toBe('Hello from process 1, user 65534\n')
    await machine().waitFor('web.service', { ActiveState: 'active', SubState: 'running' })
    await expectToBeReloadedAndStopped(machine(), 'web.service')
    await machine().systemctl('stop', 'web.socket')
    const { stdout: containers } = await machine().run('runc', ['list', '--quiet'])
    expect(containers).toBe('')
  })
})

describeOnEachSystemd('examples/runc-hooks, its files as they are', (machine) => {
  beforeAll(() => installSdbridge(machine()))

  test('is bridged by the daemon, which may be restarted, and leaves nothing', async () => {
    const daemon = await DaemonHost.install(machine(), ['web.service'])
    for (const file of ['web.socket', 'web.service']) {
      const { name, text } = unitOfExample('runc-hooks', file)
      await machine().writeUnit(name, text)
    }
    await machine().run('sh', [
      ...['-c', 'PATH=$(dirname "$1"):$PATH "$2" /srv/web', 'sh'],
      ...[machine().nodePath, inside('examples/runc-hooks/make-bundle.sh')],
    ])
    await machine().systemctl('start', 'web.socket')
    const get = async (): Promise<string> =>
      (await machine().run(machine().nodePath, [GET, 'http://127.0.0.1:8080/'])).stdout
    expect(await get()).toBe('Hello from process 1, user 65534\n')
    await machine().waitFor('web.service', { ActiveState: 'active', SubState: 'running' })
    expect(await daemon.list()).toMatchObject([{ name: 'web.service', state: 'ready' }])
    await machine().systemctl('restart', 'sdbridge')
    await expectToBeReloadedAndStopped(machine(), 'web.service')
    await daemon.waitForList([])
    await machine().systemctl('stop', 'web.socket')
    const { stdout: containers } = await machine().run('runc', ['list', '--quiet'])
    expect(containers).toBe('')
  })
})

describe.skipIf(inject('newestRoot') === undefined)('units that somebody may copy', () => {
  let machine: Machine
  let host: ContainerHost
  let before: Inventory
  let units: string[] = []

  beforeAll(async () => {
    machine = await Machine.boot({ root: inject('newestRoot')!, binds: [repositoryBind] })
    host = await ContainerHost.prepare(machine, ['docker', 'podman', 'runc', 'crun'], {
      dockerd: [KNOWS_LAUNCHER],
    })
    await writeLauncher(host)
    await installSdbridge(machine)
    await host.importImage(IMAGE, 'payload', ['CMD ["/payload/c-service"]'])
    await host.runOnce()
    // Rootless podman asks for it.
    await machine.systemctl('start', 'dbus.service')
    before = await takeInventory(host)
  }, LONGEST_TEST_MS)

  afterEach(async () => {
    if (units.length > 0) {
      const running = units.filter((name) => /^[^/]+\.(?:service|socket)$/.test(name))
      await machine.run('systemctl', ['stop', ...running], { allowFailure: true })
      await machine.run('sh', ['-c', 'cd /run/systemd/system && rm -r "$@"', 'sh', ...units])
      await machine.systemctl('daemon-reload')
    }
    units = []
    await expectNothingLeft(host, before)
  }, LONGEST_TEST_MS)

  afterAll(() => machine?.halt())

  const install = async (...copied: CopiedUnit[]): Promise<void> => {
    for (const { name, text } of copied) {
      units.push(name)
      await machine.writeUnit(name, text)
    }
  }

  /** A bundle where the guide's units have it, with the payload of the other engines' image. */
  const makeBundle = async (engine: 'runc' | 'crun'): Promise<void> => {
    const config = await host.bundleTemplate(engine)
    Object.assign(config.process, { terminal: false, args: ['/payload/c-service'] })
    config.root.path = '/srv/images/payload'
    await machine.run('mkdir', ['-p', '/srv/web'])
    await writeFile(machine.path('/srv/web/config.json'), JSON.stringify(config))
  }

  describe('docs/guide/socket-activated-containers.md', { timeout: LONGEST_TEST_MS }, () => {
    const page = 'socket-activated-containers.md'

    test('a Node service', async () => {
      await install(unitOfPage(page, 'registry.example/web:1'), unitOfPage(page, '=8080'))
      await start(machine, 'web.service')
      await machine.waitForOutput('web.service', 'us, 1 descriptors')
    })

    test('haproxy, which serves who comes to its socket', async () => {
      await host.addImage('haproxy', { files: ['/usr/sbin/haproxy'] })
      await host.importImage('registry.example/haproxy:1', 'haproxy', [])
      await writeFile(machine.path('/etc/haproxy.cfg'), blockOfPage(page, 'text', 'fd@3'))
      await install(unitOfPage(page, 'proxy --runtime'), unitOfPage(page, ':8081'))
      await machine.systemctl('start', 'proxy.socket')
      const { stdout } = await machine.run(machine.nodePath, [GET, 'http://127.0.0.1:8081/'])
      expect(stdout).toBe('you are 127.0.0.1')
      await machine.waitFor('proxy.service', { ActiveState: 'active', SubState: 'running' })
    })

    test('nginx, which takes it for one of the nginx before', async () => {
      await host.addImage('nginx', { files: ['/usr/sbin/nginx'] })
      const complete =
        'cd /srv/images/nginx && mkdir -p var/lib/nginx var/log/nginx etc/nginx && cp /etc/passwd /etc/group etc'
      await machine.run('sh', ['-c', complete])
      await host.importImage('registry.example/nginx:1', 'nginx', [])
      await writeFile(machine.path('/etc/nginx.conf'), blockOfPage(page, 'nginx', '8083'))
      await install(unitOfPage(page, 'NGINX=3;'), unitOfPage(page, ':8083'))
      await machine.systemctl('start', 'nginx.socket')
      const get = async (): Promise<string> =>
        (await machine.run(machine.nodePath, [GET, 'http://127.0.0.1:8083/'])).stdout
      expect(await get()).toBe('you are 127.0.0.1')
      await machine.systemctl('reload', 'nginx.service')
      expect(await get()).toBe('you are 127.0.0.1')
    })
  })

  describe('docker compose', { timeout: LONGEST_TEST_MS }, () => {
    // What sdbridge cdi has written stays, for containers that somebody starts by hand.
    afterEach(() => rm(machine.path('/run/cdi'), { recursive: true }))

    const installFile = async (page: string, name: string): Promise<void> => {
      await writeFile(machine.path(name), blockOfPage(page, 'yaml', `# ${name}\n`))
    }

    const page = 'socket-activated-containers.md'

    test(`docs/guide/${page}: one of its containers has the sockets`, async () => {
      await installFile(page, '/etc/stack.yaml')
      await install(unitOfPage(page, '--offer-sockets'), unitOfPage(page, '=8082'))
      await start(machine, 'stack.service')
      await machine.waitForOutput('stack.service', 'watchdog 1 of 10000000 us, 1 descriptors')
      await expectToBeReloadedAndStopped(machine, 'stack.service')
    })

    test(`docs/guide/${page}: it gets back what it has stored`, async () => {
      await installFile(page, '/etc/stack.yaml')
      const { name, text } = unitOfPage(page, '--offer-sockets')
      await install({ name, text: text.replaceAll(' stack.socket', '') })
      await expectConversation(machine, name)
      expect(machine.output(name)).toContain('us, 1 descriptors')
    })

    test('docs/guide/runtime.md: what its containers notify', async () => {
      await installFile('runtime.md', '/etc/web.yaml')
      await install(unitOfPage('runtime.md', 'docker compose'))
      await start(machine, 'web.service')
      const { StatusText: status } = await machine.show('web.service', 'StatusText')
      expect(status).toBe('written in C')
      await machine.systemctl('stop', 'web.service')
      expect(await machine.show('web.service', 'Result')).toEqual({ Result: 'success' })
    })
  })

  describe('docs/guide/containers.md', { timeout: LONGEST_TEST_MS }, () => {
    const unit = (having: string): CopiedUnit => unitOfPage('containers.md', having)

    test('docker', async () => {
      await install(unit('docker run'))
      await expectConversation(machine, 'web.service')
    })

    test('podman, with its socket', async () => {
      await install(unit('--network none'), unit('ListenStream=8080'))
      await start(machine, 'web.service')
      await machine.waitForOutput('web.service', 'watchdog 1 of 10000000 us, 1 descriptors')
      await expectToBeReloadedAndStopped(machine, 'web.service')
    })

    test('runc, with its socket', async () => {
      await makeBundle('runc')
      await install(unit('runc run'), unit('ListenStream=8080'))
      await start(machine, 'web.service')
      await machine.waitForOutput('web.service', 'watchdog 1 of 10000000 us, 1 descriptors')
      await expectToBeReloadedAndStopped(machine, 'web.service')
    })

    test('crun, which gets back what its payload has stored', async () => {
      await makeBundle('crun')
      await install(unit('crun run'))
      await expectConversation(machine, 'web-crun.service')
      expect(machine.output('web-crun.service')).toContain('us, 1 descriptors')
    })

    test('podman, with systemd in it', async () => {
      await addSystemdImage(host)
      const image = 'registry.example/machine:1'
      await host.importImage(image, 'systemd', ['CMD ["/usr/lib/systemd/systemd"]'])
      const { name, text } = unit('run --systemd')
      await install({ name, text })
      await start(machine, name)
      expect(await machine.show(name, 'ActiveState', 'StatusText')).toEqual({
        ActiveState: 'active',
        StatusText: 'Ready.',
      })
      const inner = ['exec', 'machine', 'systemctl']
      await machine.run('podman', [...inner, 'is-system-running'])
      await machine.systemctl('reload', name)
      await machine.run('podman', [...inner, 'reboot'], { allowFailure: true })
      await machine.waitFor(name, { NRestarts: '1', ActiveState: 'active' }, { timeoutMs: 30_000 })
      await machine.systemctl('stop', name)
      expect(await machine.show(name, 'Result')).toEqual({ Result: 'success' })
    })

    test('podman, as a user', async () => {
      const { name, text } = unit('rootless')
      const user = await UserManager.start(machine)
      await user.importImage(IMAGE, '/srv/images/payload', 'CMD ["/payload/c-service"]')
      await user.writeUnit(name, text)
      await user.systemctl('start', name)
      await user.systemctl('reload', name)
      await expect.poll(() => user.systemctl('show', '-PStatusText', name)).toBe('reloaded\n')
      expect(await user.systemctl('show', '-PNFileDescriptorStore', name)).toBe('1\n')
      await user.systemctl('stop', name)
      expect(await user.systemctl('show', '-PResult', name)).toBe('success\n')
      expect(await user.run('podman', 'ps', '--all', '--quiet')).toBe('')
      await user.end()
    })
  })

  describe('docs/guide/many-containers.md', { timeout: LONGEST_TEST_MS }, () => {
    const page = 'many-containers.md'
    const unit = (having: string): CopiedUnit => unitOfPage(page, having)
    const HOOKS = '/usr/share/containers/oci/hooks.d'
    let daemon: DaemonHost

    beforeAll(async () => {
      for (const name of ['queue', 'shop'])
        await host.importImage(`registry.example/${name}:1`, 'payload', [
          'CMD ["/payload/c-service"]',
        ])
      daemon = await DaemonHost.install(machine, ['web.service', 'queue.service', 'shop.service'])
      await machine.run('mkdir', ['-p', HOOKS])
      await daemon.sdbridge('hook', 'install')
      before = await takeInventory(host)
    }, LONGEST_TEST_MS)

    afterAll(async () => {
      await daemon.sdbridge('hook', 'uninstall')
      await machine.systemctl('stop', 'sdbridge*.socket', 'sdbridge.service')
      await daemon.sdbridge('daemon', 'uninstall')
      before = await takeInventory(host)
    })

    const expectService = async ({ name, text }: CopiedUnit, watched: string): Promise<void> => {
      await install({ name, text })
      await start(machine, name)
      expect(await machine.show(name, 'ActiveState', 'StatusText')).toEqual({
        ActiveState: 'active',
        StatusText: 'written in C',
      })
      const output = watched === '' ? '' : `watchdog ${watched} us`
      await expect.poll(() => machine.output(name)).toContain(output)
      expect(await daemon.list()).toMatchObject([{ unit: name, state: 'ready' }])
      await machine.systemctl('restart', 'sdbridge')
      await machine.systemctl('stop', name)
      expect(await machine.show(name, 'ActiveState', 'Result')).toEqual({
        ActiveState: 'inactive',
        Result: 'success',
      })
      await daemon.waitForList([])
    }

    test('runc, by the hooks of its bundle', async () => {
      await makeBundle('runc')
      await expectService(unit('runc run'), '1 of 30000000')
    })

    test('podman, by its hooks directory', () => expectService(unit('podman run'), ''))

    test('docker, by sdbridge run --daemon', () => expectService(unit('docker run'), ''))
  })

  describe('docs/guide/quadlet.md', { timeout: LONGEST_TEST_MS }, () => {
    const unit = (having: string): CopiedUnit => unitOfPage('quadlet.md', having)

    beforeAll(async () => {
      const { name, text } = unit('[Container]')
      await machine.run('mkdir', ['-p', '/etc/containers/systemd'])
      await writeFile(machine.path(join('/etc/containers/systemd', name)), text)
    })

    /** As systemd starts it, which has no generators in this machine. */
    const generate = async (): Promise<void> => {
      units.push('web.service')
      const generator = '/usr/lib/systemd/system-generators/podman-system-generator'
      await machine.run(generator, ['/run/systemd/system', '/tmp/early', '/tmp/late'])
      await machine.run('rm', ['-r', '/run/systemd/system/multi-user.target.wants'])
      await machine.systemctl('daemon-reload')
    }

    test('a drop-in for the generated unit', async () => {
      await generate()
      await install(unit('sdbridge run'))
      units.push('web.service.d')
      await expectConversation(machine, 'web.service')
    })

    test('the commands that write the drop-in', async () => {
      await generate()
      await machine.run('sh', ['-ec', blockOfPage('quadlet.md', 'sh', 'printf')])
      const file = '/etc/systemd/system/web.service.d/sdbridge.conf'
      const written = await readFile(machine.path(file), 'utf8')
      await machine.run('rm', ['-r', dirname(file)])
      expect(`# ${file}\n${written}`).toBe(unit('sdbridge run').text)
    })
  })

  describe('examples', { timeout: LONGEST_TEST_MS }, () => {
    beforeAll(async () => {
      await machine.run('sh', ['-ec', MAKE_NODE_IMAGES], { timeoutMs: LONGEST_TEST_MS })
    }, LONGEST_TEST_MS)

    test('container-docker', async () => {
      await build('docker', 'Dockerfile')
      await install(unitOfExample('container-docker', 'web.service'))
      await start(machine, 'web.service')
      const { StatusText: status } = await machine.show('web.service', 'StatusText')
      expect(status).toBe('Serving on port 8080')
      // The machine has no network from which a published port could be reached.
      const get = `fetch('http://127.0.0.1:8080').then(async (it) => console.log(await it.text()))`
      const { stdout } = await machine.run('docker', ['exec', 'web', 'node', '--eval', get])
      expect(stdout.trim()).toBe('Hello from process 1, user 1000')
      await expectToBeReloadedAndStopped(machine, 'web.service')
    })

    test('container-podman', async () => {
      await build('podman', 'Containerfile')
      await install(unitOfExample('container-podman', 'web.service'))
      await install(unitOfExample('container-podman', 'web.socket'))
      await machine.systemctl('start', 'web.socket')
      const { stdout } = await machine.run('node', [GET, 'http://127.0.0.1:8080/'])
      expect(stdout.trim()).toBe('Hello from process 1, user 1000')
      await machine.waitFor('web.service', { ActiveState: 'active', SubState: 'running' })
      await expectToBeReloadedAndStopped(machine, 'web.service')
    })

    test('container-runc, with crun in its place', async () => {
      await machine.run('node', [inside('examples/container-runc/make-bundle.js'), '/srv/web'])
      const { name, text } = unitOfExample('container-runc', 'web.service')
      await install({ name, text: text.replace('runc run', 'crun run') })
      await install(unitOfExample('container-runc', 'web.socket'))
      await machine.systemctl('start', 'web.socket')
      const { stdout } = await machine.run('node', [GET, 'http://127.0.0.1:8080/'])
      expect(stdout.trim()).toBe('Hello from process 1, user 65534')
      await machine.waitFor('web.service', { ActiveState: 'active', SubState: 'running' })
      await expectToBeReloadedAndStopped(machine, 'web.service')
    })

    /** As the example's README says it, with the packages of this repository: there is no registry here. */
    const build = async (engine: 'docker' | 'podman', file: string): Promise<void> => {
      const folder = inside(`examples/container-${engine}`)
      await machine.run('sh', ['-ec', BUILD, engine, folder, file], {
        env: { DOCKER_BUILDKIT: '0' },
        timeoutMs: LONGEST_TEST_MS,
      })
    }
  })
})

/** A payload in C with libsystemd is ready, watched, stores a descriptor, reloads, and is there again when the bridge was killed. */
async function expectConversation(machine: Machine, unit: string): Promise<void> {
  await start(machine, unit)
  expect(await machine.show(unit, 'ActiveState', 'StatusText')).toEqual({
    ActiveState: 'active',
    StatusText: 'written in C',
  })
  await machine.waitFor(unit, { NFileDescriptorStore: '1' })
  expect(machine.output(unit)).toContain('watchdog 1 of 10000000 us')
  await machine.waitForOutput(unit, 'barrier 1')

  const { MainPID: pid = '' } = await machine.show(unit, 'MainPID')
  await machine.run('kill', ['-KILL', pid])
  await machine.waitFor(unit, { NRestarts: '1', ActiveState: 'active' }, { timeoutMs: 30_000 })
  await expectToBeReloadedAndStopped(machine, unit)
}

/** Starts it; a failure tells what the unit wrote. */
async function start(machine: Machine, unit: string): Promise<void> {
  await machine.systemctl('start', unit).catch((error: Error) => {
    throw new Error(`${error.message}\n${machine.output(unit)}`, { cause: error })
  })
}

async function expectToBeReloadedAndStopped(machine: Machine, unit: string): Promise<void> {
  const { WatchdogTimestampMonotonic: last } = await machine.show(unit)
  await expect
    .poll(async () => (await machine.show(unit))['WatchdogTimestampMonotonic'], { timeout: 30_000 })
    .not.toBe(last)
  await machine.systemctl('reload', unit)
  await expect
    .poll(async () => (await machine.show(unit))['StatusText'], { timeout: 30_000 })
    .toMatch(/^[Rr]eloaded/)
  await machine.systemctl('stop', unit)
  expect(await machine.show(unit, 'ActiveState', 'Result')).toEqual({
    ActiveState: 'inactive',
    Result: 'success',
  })
}

/** `node:24-slim`, as far as examples need it, for docker and podman. */
const MAKE_NODE_IMAGES = `
image=/srv/images/node
bash ${inside('test/system/containers/payload/collect.sh')} $image /usr/bin/node
mkdir $image/usr/share
cp --recursive /usr/share/nodejs $image/usr/share
echo 'node:x:1000:1000::/:/bin/sh' >>$image/etc/passwd
tar -C $image -c . | docker import - node:24-slim
tar -C $image -c . | podman import - docker.io/library/node:24-slim
`

const BUILD = `
engine=$0
mkdir -p /tmp/context/node_modules/@sdbridge
cd /tmp/context
for each in listen-fds notify syscalls; do
  cp --recursive --dereference ${inside('packages')}/$each node_modules/@sdbridge
  rm -rf node_modules/@sdbridge/$each/node_modules
done
debug=$(dirname "$(readlink -f ${inside('packages/notify/node_modules/debug')})")
cp --recursive "$debug/debug" "$debug/ms" node_modules
cp "$1/server.mjs" .
grep '^RUN npm install @sdbridge/' "$1/$2"
sed 's/^RUN npm install .*/COPY node_modules node_modules/' "$1/$2" >"$2"
"$engine" build --network none --tag web --file "$2" .
rm -r /tmp/context
`
