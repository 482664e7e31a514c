import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON, works } from '../support/real-program.js'
import { Load, type Outcome } from './clients/load.js'
import { describeOnEachSystemd } from './machines.js'
import { inside } from './repository.js'

const PROGRAM = inside('test/system/fixtures/web-service.mjs')
const RESTARTS = 4
const REQUESTS_BETWEEN = 100

describe.skipIf(!works(PYTHON, '--version'))('under load', () => {
  describeOnEachSystemd('what clients notice of a restart', (machine) => {
    test.each([
      ['a port', '127.0.0.1:8001', 8001],
      ['a path', '/run/unit.sock', '/run/unit.sock'],
    ])('a service with a .socket unit, on %s: nothing', async (_, listen, address) => {
      const socket = `[Socket]\nListenStream=${listen}\nFileDescriptorName=web\n`
      await machine().writeUnit('web.socket', socket)
      await startService('nowhere', 'Sockets=web.socket')
      expectNoLoss(await restart(new Load(machine(), address)))
    })

    test.each([
      ['a port', '8002 store', 8002],
      // The server's close() removes the path to which it was bound, and that is another one then.
      ['a path that was renamed', '/run/renamed.sock rename store', '/run/renamed.sock'],
    ])('a service that has stored its socket, on %s: nothing', async (_, args, address) => {
      await startService(args, 'FileDescriptorStoreMax=1')
      expectNoLoss(await restart(new Load(machine(), address)))
    })

    test('a service that has not stored its socket: refused connections', async () => {
      await startService('8003')
      const { failures } = await restart(new Load(machine(), 8003))
      expect(Object.keys(failures)).toContain("ConnectionRefusedError(111, 'Connection refused')")
    })

    test('a service that has stored its socket, of which Node removes the path', async () => {
      await startService('/run/removed.sock store', 'FileDescriptorStoreMax=1')
      const { failures } = await restart(new Load(machine(), '/run/removed.sock'))
      expect(Object.keys(failures)).toEqual(["FileNotFoundError(2, 'No such file or directory')"])
    })

    test('FileDescriptorStorePreserve=yes, since 254: nothing either of a stop, and a start later', async () => {
      await startService('8004 store', 'FileDescriptorStoreMax=1\nFileDescriptorStorePreserve=yes')
      const outcome = await repeat(new Load(machine(), 8004), async () => {
        await machine().systemctl('stop', 'web.service')
        await machine().systemctl('start', 'web.service')
      })
      if ((await machine().systemdVersion()) >= 254) expectNoLoss(outcome)
      else expect(outcome.failures).not.toEqual({})
    })

    async function startService(args: string, settings = ''): Promise<void> {
      await machine().writeUnit(
        'web.service',
        `[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=${machine().nodePath} ${PROGRAM} ${args}
LimitCORE=0
${settings}
`,
      )
      onTestFinished(async () => void (await machine().systemctl('stop', 'web.*')))
      await machine().systemctl('start', 'web.service')
    }

    function restart(load: Load): Promise<Outcome> {
      return repeat(load, () => machine().systemctl('restart', 'web.service'))
    }
  })
})

async function repeat(load: Load, action: () => Promise<unknown>): Promise<Outcome> {
  for (let count = 0; count < RESTARTS; count++) {
    await load.more(REQUESTS_BETWEEN)
    await action()
  }
  await load.more(REQUESTS_BETWEEN)
  return load.end()
}

function expectNoLoss({ requests, failures, answers }: Outcome): void {
  expect(failures).toEqual({})
  expect(requests).toBeGreaterThanOrEqual((RESTARTS + 1) * REQUESTS_BETWEEN)
  // Each process had its share.
  expect(Object.keys(answers)).toHaveLength(RESTARTS + 1)
}
