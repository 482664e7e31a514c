import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { DaemonHost } from './daemon/daemon-host.js'
import { describeOnEachSystemd } from './machines.js'

/** What `systemd-analyze security` may say at most; "OK" ends at 4. */
const MOST_EXPOSED = 3
/** DefaultStartLimitBurst= is 5, in ten seconds. */
const MORE_THAN_A_BURST = 7
/** CAP_SYS_PTRACE and CAP_SYS_ADMIN, capabilities(7). */
const CAPABILITIES = (1n << 19n) | (1n << 21n)

/** What it finds missing, and unit-files.ts has a reason for. */
const EXPLAINED = [
  'CapabilityBoundingSet_CAP_SYS_ADMIN',
  'CapabilityBoundingSet_CAP_SYS_PTRACE',
  'DeviceAllow',
  'MemoryDenyWriteExecute',
  'PrivateNetwork',
  'PrivateUsers',
  'ProtectProc',
  'RestrictAddressFamilies_AF_UNIX',
  'RootDirectoryOrRootImage',
  'UserOrDynamicUser',
]

describeOnEachSystemd('the units of the daemon', (machine) => {
  let host: DaemonHost

  test('leave little exposed, and nothing without a reason', async () => {
    host = await DaemonHost.install(machine(), ['web*.service'])
    const words = ['security', '--no-pager', 'sdbridge.service']
    const { stdout: text } = await machine().run('systemd-analyze', words)
    const [, level] = /Overall exposure level for sdbridge\.service: ([\d.]+)/.exec(text) ?? []
    expect(Number(level)).toBeLessThanOrEqual(MOST_EXPOSED)
    const { stdout: json } = await machine().run('systemd-analyze', [...words, '--json=short'])
    const findings = JSON.parse(json) as { exposure: string | null; json_field: string }[]
    const exposed = findings.filter(({ exposure }) => Number(exposure ?? 0) > 0)
    expect(exposed.map((each) => each.json_field).toSorted()).toEqual(
      EXPLAINED.filter((each) => exposed.some(({ json_field: found }) => found === each)),
    )
  })

  test('say nothing that this systemd does not know', async () => {
    const verify = ['verify', '/etc/systemd/system/sdbridge.service']
    const { stdout, stderr } = await machine().run('systemd-analyze', verify)
    expect(`${stdout}${stderr}`).not.toContain('sdbridge')
  })

  test('are in force', async () => {
    const status = await statusOf('sdbridge.service')
    expect(status).toMatchObject({ NoNewPrivs: '1', Seccomp: '2' })
    for (const set of ['CapBnd', 'CapEff', 'CapPrm'])
      expect(BigInt(`0x${status[set]}`)).toBe(CAPABILITIES)
    expect(status).toMatchObject({ CapAmb: '0'.repeat(16), CapInh: '0'.repeat(16) })
  })

  test('do not keep it from its work: registering, forwarding, reloading, being asked', async () => {
    await host.writeService('web')
    await host.start('web')
    await host.send('web', 'READY=1\nSTATUS=in spite of all')
    await host.waitFor('web.service', { ActiveState: 'active', StatusText: 'in spite of all' })
    await machine().systemctl('reload', 'sdbridge.service')
    expect(await host.list()).toMatchObject([{ name: 'web', state: 'ready', forwarded: 1 }])
    const metrics = ['-s', '--unix-socket', '/run/sdbridge-metrics.sock', 'http://-/metrics']
    const { stdout } = await machine().run('curl', metrics, { allowFailure: true })
    // Where there is a curl.
    if (stdout !== '') expect(stdout).toContain('sdbridge_containers{state="ready"} 1')
  })

  test('do not keep it from having a container removed, by a unit of its own', async () => {
    await host.writeService('web-removed', '', { isRemoved: true })
    await host.start('web-removed')
    await machine().systemctl('stop', 'web-removed.service')
    await expect
      .poll(() => machine().log(), { timeout: 10_000 })
      .toMatch(/\brun-[\w-]+\.service: Deactivated successfully/)
  })

  test('do not give up on it, however often it is killed', async () => {
    const unit = 'sdbridge.service'
    for (let kill = 1; kill <= MORE_THAN_A_BURST; kill++) {
      const { MainPID: before } = await machine().show(unit, 'MainPID')
      await machine().systemctl('kill', '-s', 'KILL', unit)
      await expect
        .poll(() => machine().show(unit, 'ActiveState', 'MainPID'), { timeout: 10_000 })
        .toSatisfy(
          ({ ActiveState, MainPID }) =>
            ActiveState === 'active' && MainPID !== '0' && MainPID !== before,
        )
    }
    expect(await host.list()).toMatchObject([{ name: 'web' }])
  })

  async function statusOf(unit: string): Promise<Record<string, string>> {
    const { MainPID } = await machine().show(unit, 'MainPID')
    const text = await readFile(machine().path(`/proc/${MainPID}/status`), 'utf8')
    return Object.fromEntries(
      text.split('\n').flatMap((line) => {
        const [name = '', value] = line.split(':\t')
        return value === undefined ? [] : [[name, value.trim()]]
      }),
    )
  }
})
