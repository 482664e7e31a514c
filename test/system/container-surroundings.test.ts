import { mkdir } from 'node:fs/promises'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { RuntimeConfig } from './containers/container.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import { giveAway, WITH_MAPPED_USERS } from './containers/mapped-users.js'
import { startReceiver } from './containers/receiver.js'

describeContainers('where a container lives', (scenario) => {
  scenario('S22', 'another user than root', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'user', {
      container: { user: '1234:2345' },
    })
    const payload = await service.start()
    expect(payload.uid).toBe(1234)
    await payload.send('READY=1\nSTATUS=as somebody')
    await service.waitFor({ ActiveState: 'active', StatusText: 'as somebody' })
    // It may come in, and leave nothing there.
    expect(await payload.listFolder('/run/notify')).toEqual(['notify.sock'])
    expect(await payload.run(['sh', '-c', 'echo >/run/notify/mine'])).toMatchObject({ code: 1 })
  })

  scenario('S22', 'a root file system that nobody can write to', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'read-only', {
      container: { readOnly: true },
    })
    const payload = await service.start()
    expect(await payload.run(['sh', '-c', 'echo >/written'])).toMatchObject({ code: 1 })
    await payload.send('READY=1\nSTATUS=nothing was written')
    await service.waitFor({ ActiveState: 'active', StatusText: 'nothing was written' })
  })

  scenario(
    'S22',
    'a user namespace',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'namespace', {
        settings: 'FileDescriptorStoreMax=5',
        container: {
          ...WITH_MAPPED_USERS,
        },
      })
      if (engine !== 'podman') await giveAway(service)
      const payload = await service.start()
      expect(payload.uid).toBe(0)
      expect(await payload.readFile('/proc/self/uid_map')).toMatch(/^\s+0\s+100000\s+65536\n$/)
      await payload.openMemory('kept', 'through the namespace')
      await payload.send('READY=1\nSTATUS=as root of its own\nFDSTORE=1\nFDNAME=kept', {
        files: ['kept'],
      })
      await service.waitFor({
        ...{ ActiveState: 'active', StatusText: 'as root of its own' },
        NFileDescriptorStore: '1',
      })
      await payload.sendBarrier('barrier')
      expect(await payload.isReleased('barrier', 20_000)).toBe(true)
    },
    ['podman', 'runc', 'crun', 'runc on host'],
  )

  scenario('S23', 'a manager at an abstract address', async (host, engine) => {
    await expectConversation(host, engine, `@manager-of-${engine}`)
  })

  scenario('S23', 'a manager at a path that no address can hold', async (host, engine) => {
    const folder = `/run/${'long-'.repeat(25)}${engine}`
    await mkdir(host.machine.path(folder))
    await expectConversation(host, engine, `${folder}/socket`)
    await host.machine.run('rmdir', [folder])
  })

  scenario(
    'S24',
    'no process but the bridge knows the socket of the manager',
    async (host, engine) => {
      const seen = `/run/hook-${engine}`
      const service = await BridgedService.write(host, engine, 'environments', {
        container: {
          edit: (config) => {
            const hook = { path: '/bin/sh', args: ['sh', '-c', `env >${seen}`] }
            config.hooks = { createRuntime: [hook], poststart: [hook], poststop: [hook] }
          },
        },
      })
      const payload = await service.startReady()
      const { MainPID, ControlGroup } = await service.show('MainPID', 'ControlGroup')
      const script = `cd /sys/fs/cgroup${ControlGroup} && find . -name cgroup.procs -exec cat {} + | while read -r pid; do
      [ "$pid" = ${MainPID} ] || tr '\\0' '\\n' <"/proc/$pid/environ" | sed "s/^/$pid /"
    done`
      const { stdout } = await host.machine.run('sh', ['-c', script])
      expect(stdout).not.toContain('/run/systemd/notify')
      // What is the unit's alone is not there either.
      expect(stdout).not.toMatch(/ (WATCHDOG_PID|LISTEN_PIDFDID|MAINPID|MAINPIDFDID)=/)
      expect(await payload.environment()).toMatchObject({
        NOTIFY_SOCKET: '/run/notify/notify.sock',
      })
      if (engine === 'runc' || engine === 'crun') {
        const { stdout: ofHooks } = await host.machine.run('cat', [seen])
        expect(ofHooks).toContain('PATH=')
        expect(ofHooks).not.toContain('NOTIFY_SOCKET')
      }
      await payload.exit(0)
      await service.waitFor({ ActiveState: 'inactive' })
      await host.machine.run('rm', ['--force', seen])
    },
  )

  scenario(
    'S24',
    'what the engine hands on is as if there were no bridge',
    async (host, engine) => {
      const settings = 'LimitNOFILE=3000:4000'
      const container = { edit: ({ process }: RuntimeConfig) => delete process.rlimits }
      const bridged = await BridgedService.write(host, engine, 'limits', { settings, container })
      const payload = await bridged.startReady()
      const withBridge = { ...(await payload.limitsAndSignals()), fds: await payload.openFds() }
      await bridged.systemctl('stop')

      const execStart = await bridged.engineCommand(container)
      const plain = await BridgedService.write(host, engine, 'limits', {
        execStart,
        settings: `${settings}\nType=exec\nNotifyAccess=none\nExecStopPost=`,
      })
      const without = await plain.start()
      expect(withBridge).toEqual({
        ...(await without.limitsAndSignals()),
        fds: await without.openFds(),
      })
      await without.exit(0)
      await plain.waitFor({ ActiveState: 'inactive' })
    },
  )

  scenario('S25', 'a process that the engine sends in', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'exec', {
      container: { name: 'exec' },
    })
    await service.start()
    const { machine } = host
    await machine.run(engine, ['exec', 'exec', 'systemd-notify', '--ready', '--status=from beside'])
    await service.waitFor({ ActiveState: 'active', StatusText: 'from beside' })
  })

  scenario('S25', '--senders=init: it is not heard, and that is said', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'init-alone', {
      bridge: ['--senders', 'init'],
      container: { name: 'init-alone' },
    })
    const payload = await service.start()
    await host.machine.run(engine, [
      ...['exec', 'init-alone', 'systemd-notify', '--no-block', '--ready', '--status=from beside'],
    ])
    await payload.send('STATUS=from within')
    await service.waitFor({ ActiveState: 'activating', StatusText: 'from within' })
    await payload.send('READY=1')
    await service.waitFor({ ActiveState: 'active', StatusText: 'from within' })
    await payload.exit(0)
    await service.waitForOutput('sender')
  })
})

async function expectConversation(
  host: ContainerHost,
  engine: BridgedService['engine'],
  address: string,
): Promise<void> {
  const receiver = await startReceiver(host, address)
  const service = await BridgedService.write(host, engine, 'elsewhere', {
    settings: `Type=exec\nNotifyAccess=none\nEnvironment=NOTIFY_SOCKET=${address}`,
  })
  const payload = await service.start()
  expect(await payload.environment()).toMatchObject({ NOTIFY_SOCKET: '/run/notify/notify.sock' })
  await payload.send('READY=1\nSTATUS=from afar')
  expect((await receiver.payload.receive()).text.trimEnd()).toBe('READY=1\nSTATUS=from afar')
  await payload.sendBarrier('barrier')
  expect(await receiver.payload.receive()).toEqual({ text: 'BARRIER=1', files: 1 })
  expect(await payload.isReleased('barrier', 20_000)).toBe(true)
  await payload.exit(0)
  await service.waitFor({ ActiveState: 'inactive' })
  await receiver.end()
}
