import { expect, test } from 'vitest'
import { DaemonHost } from './daemon/daemon-host.js'
import { describeOnEachSystemd } from './machines.js'

describeOnEachSystemd('sdbridge daemon', (machine) => {
  let host: DaemonHost

  test('is installed, started, and ready', async () => {
    host = await DaemonHost.install(machine(), ['web*.service', 'job.service annotation'])
    await host.waitFor('sdbridge.service', {
      ActiveState: 'active',
      StatusText: 'Bridging 0 containers',
    })
    expect(await host.sdbridge('daemon', 'install')).toContain(
      '/etc/sdbridge/units is as it should be',
    )
  })

  test('a unit’s container makes it ready, in the name of its main process', async () => {
    await host.writeService('web')
    await host.start('web')
    await host.send('web', 'READY=1\nSTATUS=from within')
    await host.waitFor('web.service', { ActiveState: 'active', StatusText: 'from within' })
    await host.waitFor('sdbridge.service', { StatusText: 'Bridging 1 container' })
    expect(await host.list()).toMatchObject([
      { name: 'web', unit: 'web.service', state: 'ready', status: 'from within', forwarded: 1 },
    ])
    const table = await host.sdbridge('ps')
    expect(table).toMatch(/^NAME .*STATUS\nweb .* web\.service .* ready .* from within\n$/)
  })

  test('a restart of the daemon loses nothing, and no container notices', async () => {
    const before = await host.show('sdbridge.service', 'MainPID')
    const socket = await host.openSocket('web')
    for (let n = 0; n < 5; n++) await socket.send(`STATUS=before ${n}`)
    await machine().systemctl(
      'stop',
      'sdbridge.service',
      'sdbridge.socket',
      'sdbridge-metrics.socket',
    )
    if ((await machine().systemdVersion()) >= 254) {
      // While nobody is there: the service manager has the socket.
      await socket.send('STATUS=meanwhile')
      await machine().systemctl('start', 'sdbridge.service')
      await host.waitFor('web.service', { StatusText: 'meanwhile' })
    } else {
      await machine().systemctl('start', 'sdbridge.service')
    }
    await machine().systemctl('restart', 'sdbridge.service')
    await host.send('web', 'STATUS=after')
    await host.waitFor('web.service', { StatusText: 'after' })
    expect(await host.show('sdbridge.service', 'MainPID')).not.toEqual(before)
    await socket.close()
  })

  test('killed, it is back in a moment, with all containers', async () => {
    const socket = await host.openSocket('web')
    await machine().run('systemctl', ['kill', '-s', 'KILL', 'sdbridge.service'])
    for (let n = 0; n < 5; n++) await socket.send(`STATUS=${n}`)
    await host.waitFor('web.service', { StatusText: '4' })
    expect(await host.list()).toMatchObject([{ name: 'web', state: 'ready', status: '4' }])
    await socket.close()
  })

  test('the manager is told by the container’s watchdog pings that it is alive', async () => {
    await host.writeService('web-watched', 'WatchdogSec=2\nTimeoutStopSec=5\n')
    await host.start('web-watched')
    await host.send('web-watched', 'READY=1')
    const socket = await host.openSocket('web-watched')
    for (let n = 0; n < 8; n++) {
      await socket.send('WATCHDOG=1')
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    expect(await host.show('web-watched.service', 'ActiveState', 'NRestarts')).toEqual({
      ActiveState: 'active',
      NRestarts: '0',
    })
    await socket.close()
    await host.waitFor('web-watched.service', { ActiveState: 'failed', Result: 'watchdog' })
    await host.waitForList(['web'])
  })

  test('a barrier is the manager’s to acknowledge, and descriptors go into the unit’s store', async () => {
    await host.writeService('web-store', 'FileDescriptorStoreMax=3\n')
    await host.start('web-store')
    const script = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
f = os.memfd_create('state')
socket.send_fds(s, [b'READY=1\\nFDSTORE=1\\nFDNAME=state\\nFDPOLL=0'], [f])
r, w = os.pipe()
socket.send_fds(s, [b'BARRIER=1'], [w])
os.close(w)
os.read(r, 1)
print('acknowledged')`
    const socketPath = host.socketOf('web-store')
    const { stdout } = await machine().run('python3', ['-c', script, socketPath])
    expect(stdout).toBe('acknowledged\n')
    expect(await host.show('web-store.service', 'ActiveState', 'NFileDescriptorStore')).toEqual({
      ActiveState: 'active',
      NFileDescriptorStore: '1',
    })
    await machine().systemctl('stop', 'web-store')
  })

  test('a unit whose user is not root is spoken for as well', async () => {
    await machine().writeUnit(
      'web-user.service',
      `[Service]
Type=notify
User=nobody
ExecStartPre=+/bin/true
ExecStart=sleep infinity
`,
    )
    await machine().systemctl('start', '--no-block', 'web-user.service')
    await host.waitFor('web-user.service', { SubState: 'start' })
    const reply = await host.askIn('web-user.service', {
      ...{ command: 'register', name: 'web-user' },
      container: { id: 'x', engine: 'runc' },
    })
    expect(JSON.parse(reply)).toEqual({
      version: 1,
      unit: 'web-user.service',
      socket: host.socketOf('web-user'),
    })
    await host.send('web-user', 'READY=1')
    await host.waitFor('web-user.service', { ActiveState: 'active' })
    await machine().systemctl('stop', 'web-user')
    await host.waitForList(['web'])
  })

  test('an engine’s container names its unit, where the list lets it', async () => {
    const request = { command: 'register', name: 'job', container: { id: 'x', engine: 'docker' } }
    const by = async (annotatedUnit?: string): Promise<unknown> =>
      JSON.parse(await host.ask({ ...request, annotatedUnit }))
    expect(await by()).toMatchObject({
      error: expect.stringContaining('io.sdbridge.daemon=UNIT'),
    })
    expect(await by('web')).toMatchObject({
      error: expect.stringContaining("add the line 'web.service annotation'"),
    })
    expect(await by('sdbridge')).toMatchObject({
      error: expect.stringContaining('nobody speaks for sdbridge.service'),
    })
    expect(await by('job')).toMatchObject({ error: expect.stringContaining('there is no unit') })
    await machine().writeUnit(
      'job.service',
      '[Service]\nType=notify\nExecStart=sleep infinity\nRestart=no\n',
    )
    expect(await by('job')).toMatchObject({
      error: 'job.service is inactive: expected a unit that is active, or being started',
    })
    await machine().systemctl('start', '--no-block', 'job')
    await host.waitFor('job.service', { SubState: 'start' })
    expect(await by('job')).toMatchObject({ unit: 'job.service' })
    await host.send('job', 'READY=1')
    await host.waitFor('job.service', { ActiveState: 'active' })
  })

  test('a unit that takes no notifications is told so', async () => {
    await machine().writeUnit('web-deaf.service', '[Service]\nExecStart=sleep infinity\n')
    await machine().systemctl('start', 'web-deaf')
    const reply = await host.askIn('web-deaf.service', {
      ...{ command: 'register', name: 'web-deaf' },
      container: { id: 'x', engine: 'runc' },
    })
    expect(reply).toContain('NotifyAccess=none: set Type=notify')
    await machine().systemctl('stop', 'web-deaf')
  })

  test('a container never says who is the main process, nor who may speak', async () => {
    await host.send('job', 'MAINPID=1\nNOTIFYACCESS=all\nSTATUS=tried')
    await host.waitFor('job.service', { StatusText: 'tried', NotifyAccess: 'main' })
    const { MainPID } = await host.show('job.service', 'MainPID')
    expect(MainPID).not.toBe('1')
    const job = (await host.list()).find(({ name }) => name === 'job')
    expect(job).toMatchObject({ droppedFields: { 'not-allowed': 2 } })
  })

  test('events are followed live, and numbers are served for Prometheus', async () => {
    const events = await host.follow()
    await host.send('job', 'STATUS=followed')
    await events.waitFor('"event":"status","text":"followed","name":"job","unit":"job.service"')
    await host.ask({ command: 'nonsense' })
    await events.waitFor('"event":"refused"')
    const metrics = await machine().run(machine().nodePath, ['-e', METRICS])
    expect(metrics.stdout).toContain('200 text/plain')
    expect(metrics.stdout).toMatch(
      /^sdbridge_messages_forwarded_total\{name="job",unit="job.service",engine="docker",container="x"\} 3$/m,
    )
    expect(metrics.stdout).toContain('sdbridge_containers{state="ready"} ')
    expect(metrics.stdout).toMatch(/^sdbridge_dropped_total\{.*reason="not-allowed"\} 2$/m)
    await events.end()
  })

  test.each([
    ['another user', ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']],
    ['root of a user namespace', ['unshare', '--user', '--map-root-user']],
    ['root of a pid namespace', ['unshare', '--pid', '--fork', '--mount-proc']],
    [
      'a process of a container’s group',
      ['systemd-run', '--quiet', '--scope', '--unit=docker-0123', '--'],
    ],
    ['a process of a group below a unit', ['sh', '-c', BELOW_A_UNIT, 'sh']],
  ])('%s may not ask', async (_, prefix) => {
    const reply = await host.tryAs(prefix, { command: 'list' })
    expect(reply).not.toContain('containers')
    expect(reply).toMatch(/is in|is of another user|no process|EACCES|EPIPE|ECONNRESET/)
    // It goes on for all others.
    expect(await host.list()).not.toHaveLength(0)
  })

  test('what is not on the list any more is let go of by a reload; a list with a mistake changes nothing', async () => {
    await host.writeList(['web.service somehow'])
    await machine().systemctl('reload', 'sdbridge')
    await machine().waitForOutput('sdbridge.service', "found 'somehow'")
    await host.waitForList(['job', 'web'])
    await host.writeList(['web*.service'])
    await machine().systemctl('reload', 'sdbridge')
    await host.waitForList(['web'])
    await machine().systemctl('stop', 'job')
  })

  test('when its unit’s main process ends, a container is forgotten', async () => {
    await machine().systemctl('stop', 'web')
    await host.waitForList([])
    await host.waitFor('sdbridge.service', { StatusText: 'Bridging 0 containers' })
    expect(await host.show('sdbridge.service', 'NFileDescriptorStore')).toEqual({
      NFileDescriptorStore: '0',
    })
  })

  test('it is uninstalled', async () => {
    await machine().systemctl('stop', 'sdbridge*.socket', 'sdbridge.service')
    const text = await host.sdbridge('daemon', 'uninstall')
    expect(text).toContain('removed /etc/systemd/system/sdbridge.service')
    const ps = await host.trySdbridge('ps')
    expect(ps).toContain('systemctl start sdbridge.socket')
  })
})

const METRICS = `
require('node:http').get({ socketPath: '/run/sdbridge-metrics.sock', path: '/metrics' }, (response) => {
  console.log(response.statusCode, response.headers['content-type'])
  response.pipe(process.stdout)
})`

const BELOW_A_UNIT = `
cgroup=$(systemctl show --value --property=ControlGroup web.service)
root=/sys/fs/cgroup
[ -e $root/cgroup.controllers ] || root=/sys/fs/cgroup/systemd
[ -e $root$cgroup ] || root=/sys/fs/cgroup/unified
mkdir -p $root$cgroup/inner
echo $$ >$root$cgroup/inner/cgroup.procs
exec "$@"`
