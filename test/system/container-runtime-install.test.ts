import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import { CONTROL_FOLDER } from './containers/payloads.js'
import type { Outcome } from './machine/outcome.js'

const DIRECTORY = '/usr/local/lib/sdbridge'
const DAEMON_JSON = '/etc/docker/daemon.json'
const CONTAINERD_TOML = '/etc/containerd/config.toml'

describeContainers(
  'sdbridge runtime install',
  (scenario) => {
    scenario(
      'install',
      'dockerd knows the runtime after a reload, and uses it',
      async (host) => {
        const before = '{\n    "max-concurrent-downloads": 4,\n    "labels": [ "a=1" ]\n}\n'
        await write(host, DAEMON_JSON, before)
        const next = await runtime(host, 'install', '--docker')
        expect(next.stdout).toContain('systemctl reload docker')
        await host.machine.run('dockerd', ['--validate'])
        await host.machine.systemctl('reload', 'docker')
        await expect
          .poll(() => runtimesOfDocker(host))
          .toMatchObject({
            sdbridge: { path: `${DIRECTORY}/runc` },
          })
        expect(await dockerRun(host, '--rm', '--runtime=sdbridge')).toBe('a container ran\n')

        // Its end and its removal take the launcher.
        await dockerRun(host, '--name=held', '--runtime=sdbridge')
        const refused = await runtime(host, 'uninstall')
        expect(refused).toMatchObject({ exitCode: 125, stdout: '' })
        expect(refused.stderr).toContain(': held (docker): remove them first')
        await host.machine.run('docker', ['rm', '--force', 'held'])

        expect(await runtime(host, 'uninstall')).toMatchObject({ exitCode: 0, stderr: '' })
        expect(await read(host, DAEMON_JSON)).toBe(before)
        expect(await isThere(host, DIRECTORY)).toBe(false)
        await rm(host.machine.path(DAEMON_JSON))
        await host.machine.run('systemctl', ['restart', 'docker'], { timeoutMs: 60_000 })
        expect(await runtimesOfDocker(host)).not.toHaveProperty('sdbridge')
      },
      ['docker'],
    )

    scenario(
      'install',
      'it is not taken from a dockerd whose default it is',
      async (host) => {
        await runtime(host, 'install', '--docker')
        const config = JSON.parse(await read(host, DAEMON_JSON)) as object
        await write(host, DAEMON_JSON, JSON.stringify({ ...config, 'default-runtime': 'sdbridge' }))
        await host.machine.systemctl('reload', 'docker')
        await expect
          .poll(() => dockerInfo(host, '{{.DefaultRuntime}}'), { timeout: 10_000 })
          .toBe('sdbridge')
        expect(await dockerRun(host, '--rm')).toBe('a container ran\n')
        expect((await runtime(host, 'uninstall', '--force')).stderr).toContain(DAEMON_JSON)

        await write(host, DAEMON_JSON, JSON.stringify(config))
        // dockerd goes by what it has read.
        expect((await runtime(host, 'uninstall', '--force')).stderr).toContain('(docker info)')
        await write(host, DAEMON_JSON, JSON.stringify({ ...config, 'default-runtime': 'runc' }))
        await host.machine.systemctl('reload', 'docker')
        await expect
          .poll(() => dockerInfo(host, '{{.DefaultRuntime}}'), { timeout: 10_000 })
          .toBe('runc')
        expect(await runtime(host, 'uninstall')).toMatchObject({ exitCode: 0, stderr: '' })
        expect(await read(host, DAEMON_JSON)).toBe('{"default-runtime":"runc"}')
        await rm(host.machine.path(DAEMON_JSON))
        await host.machine.run('systemctl', ['restart', 'docker'], { timeoutMs: 60_000 })
      },
      ['docker'],
    )

    scenario(
      'S29',
      'a printed unit has the sockets of systemd, once the runtime is installed',
      async (host, engine) => {
        const { machine } = host
        await runtime(host, 'install', '--docker')
        await machine.systemctl('reload', 'docker')
        const service = new BridgedService(host, engine, 'printed')
        host.services.add(service)
        const [file = '', ...args] = host.sdbridge
        const options = ['--engine=docker', '--name=printed', '--socket=/run/printed.sock']
        const { stdout } = await machine.run(file, [
          ...[...args, 'unit', ...options, 'payload', ...service.payloadCommand],
        ])
        const [unit = '', socket = ''] = stdout.split(/(?=^# \S+printed\.socket$)/m)
        const control = ` --network=none --volume ${CONTROL_FOLDER}:/control`
        await machine.writeUnit('printed.service', unit.replace(/(?= payload python3 )/, control))
        await machine.writeUnit('printed.socket', `${socket}\n[Socket]\nRemoveOnStop=yes\n`)
        await machine.systemctl('start', 'printed.socket')
        const client = connect(machine.path('/run/printed.sock'))
        client.write('anybody there?')
        const answer = text(client)
        const payload = await service.payload()
        await payload.send('READY=1')
        expect(await payload.listenFds()).toEqual([{ name: 'printed', content: 'socket' }])
        expect(await payload.serveOne(3, 'a container')).toBe('anybody there?')
        expect(await answer).toBe('a container')
        await machine.systemctl('stop', 'printed.service', 'printed.socket')
        await runtime(host, 'uninstall')
        await machine.run('systemctl', ['restart', 'docker'], { timeoutMs: 60_000 })
      },
      ['docker'],
    )

    scenario(
      'install',
      'ctr takes the launcher by its path, without a registration',
      async (host) => {
        await runtime(host, 'install')
        const config = await host.bundleTemplate('runc')
        Object.assign(config.process, { terminal: false, args: SAYS_SO.slice(1) })
        config.root.path = '/srv/images/payload'
        // ctr's own has limits, for which the machine has no controllers.
        delete config.linux['resources']
        await write(host, '/srv/config.json', JSON.stringify(config))
        const { stdout } = await host.machine.run(
          'ctr',
          [
            ...['--address', '/run/docker/containerd/containerd.sock', '--namespace', 'sdbridge'],
            ...['run', '--rm', '--runc-binary', `${DIRECTORY}/runc`],
            ...['--config', '/srv/config.json', 'by-ctr'],
          ],
          { timeoutMs: 60_000 },
        )
        expect(stdout).toBe('a container ran\n')
        await runtime(host, 'uninstall')
        await host.machine.run('rm', ['-r', '/run/containerd'])
      },
      ['docker'],
    )

    scenario(
      'install',
      'containerd reads what is written for it',
      async (host) => {
        const before = await read(host, CONTAINERD_TOML)
        const known =
          /runtimes\.sdbridge\.options\]\s+BinaryName = '\/usr\/local\/lib\/sdbridge\/runc'/
        const dump = async (file: string): Promise<Outcome> =>
          await host.machine.run('containerd', ['--config', file, 'config', 'dump'])

        await runtime(host, 'install', '--containerd')
        expect(await read(host, CONTAINERD_TOML)).toContain(before)
        const old = await dump(CONTAINERD_TOML)
        expect(old.stdout).toMatch(known)
        expect(old.stdout).toContain("container_annotations = ['io.sdbridge.*']")
        // All else is as it was.
        expect(old.stdout).toContain("path = '/var/lib/containerd/opt'")
        expect(old.stderr).toBe('')
        await runtime(host, 'uninstall')
        expect(await read(host, CONTAINERD_TOML)).toBe(before)
        expect((await dump(CONTAINERD_TOML)).stdout).not.toMatch(known)

        for (const imports of ['', 'imports = ["/etc/containerd/conf.d/*.toml"]\n']) {
          const file = '/etc/containerd/three.toml'
          const own = `version = 3\n${imports}[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nSystemdCgroup = true\n`
          await write(host, file, own)
          await runtime(host, 'install', '--containerd', '--containerd-config', file)
          const { stdout, stderr } = await dump(file)
          expect(stdout).toMatch(known)
          expect(stdout.match(/SystemdCgroup = true/g)).toHaveLength(2)
          expect(stderr).toBe('')
          await runtime(host, 'uninstall', '--containerd-config', file)
          expect(await read(host, file)).toBe(own)
          expect((await dump(file)).stdout).not.toMatch(known)
          await rm(host.machine.path(file))
        }
      },
      ['docker'],
    )

    scenario(
      'install',
      'podman knows the runtime at once, and what it can do by its path',
      async (host) => {
        await runtime(host, 'install', '--podman')
        expect(await podmanRun(host, 'sdbridge', '--rm')).toBe('a container ran\n')
        const path = `${DIRECTORY}/crun`
        expect(await podmanRun(host, path, '--rm', '--cgroups=disabled')).toBe('a container ran\n')

        for (const name of ['sdbridge', path]) {
          await podmanRun(host, name, '--name=held')
          const { exitCode, stderr } = await runtime(host, 'uninstall')
          expect(exitCode).toBe(125)
          expect(stderr).toContain(': held (podman): remove them first')
          await host.machine.run('podman', ['rm', '--force', 'held'])
        }
        expect(await runtime(host, 'uninstall')).toMatchObject({ exitCode: 0, stderr: '' })
        expect(await isThere(host, '/etc/containers/containers.conf.d/sdbridge.conf')).toBe(false)
        expect(await isThere(host, DIRECTORY)).toBe(false)
        await expect(podmanRun(host, 'sdbridge', '--rm')).rejects.toThrow('sdbridge')
      },
      ['podman'],
    )
  },
  {
    // As in the unit of every distribution.
    prepare: async ({ machine }) =>
      await machine.writeUnit(
        'docker.service.d/reload.conf',
        '[Service]\nExecReload=/bin/kill -s HUP $MAINPID\n',
      ),
  },
)

const SAYS_SO = ['payload', 'python3', '-c', "print('a container ran')"]

function runtime(host: ContainerHost, ...words: string[]): Promise<Outcome> {
  const [file = '', ...args] = [...host.sdbridge, 'runtime', ...words]
  return host.machine.run(file, args, { allowFailure: true, timeoutMs: 60_000 })
}

async function dockerRun(host: ContainerHost, ...options: string[]): Promise<string> {
  const args = ['run', '--network=none', ...options, ...SAYS_SO]
  return (await host.machine.run('docker', args, { timeoutMs: 60_000 })).stdout
}

async function podmanRun(
  host: ContainerHost,
  runtimeName: string,
  ...options: string[]
): Promise<string> {
  const args = ['--runtime', runtimeName, 'run', ...options, ...SAYS_SO]
  return (await host.machine.run('podman', args, { timeoutMs: 60_000 })).stdout
}

async function dockerInfo(host: ContainerHost, format: string): Promise<string> {
  const { stdout } = await host.machine.run('docker', ['info', '--format', format])
  return stdout.trim()
}

async function runtimesOfDocker(host: ContainerHost): Promise<unknown> {
  return JSON.parse(await dockerInfo(host, '{{json .Runtimes}}'))
}

function read({ machine }: ContainerHost, file: string): Promise<string> {
  return readFile(machine.path(file), 'utf8')
}

async function write({ machine }: ContainerHost, file: string, content: string): Promise<void> {
  await mkdir(dirname(machine.path(file)), { recursive: true })
  await writeFile(machine.path(file), content)
}

async function isThere({ machine }: ContainerHost, file: string): Promise<boolean> {
  return (await machine.run('test', ['-e', file], { allowFailure: true })).exitCode === 0
}
