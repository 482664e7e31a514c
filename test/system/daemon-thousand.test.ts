import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { DaemonHost } from './daemon/daemon-host.js'
import { NumberedSenders } from './daemon/numbered-senders.js'
import { describeOnEachSystemd } from './machines.js'
import { expectQuiet } from '../support/quiet-process.js'
import { inside } from './repository.js'

const UNITS = 25
const PER_UNIT = 40
const CONTAINERS = UNITS * PER_UNIT
/** Registering asks the service manager about the unit each time. */
const REGISTERED_MS = 120_000
const ARRIVED_MS = 60_000

describeOnEachSystemd('a thousand containers', (machine) => {
  let host: DaemonHost
  let senders: NumberedSenders

  beforeAll(async () => {
    host = await DaemonHost.install(machine(), ['load@*.service'])
    const register = `${machine().nodePath} ${inside('test/system/daemon/register-many.mjs')}`
    await machine().writeUnit(
      'load@.service',
      `[Service]
Type=notify
ExecStart=/bin/sh -c "${register} n $$((%i * ${PER_UNIT})) ${PER_UNIT} && exec sleep infinity"
UnsetEnvironment=NOTIFY_SOCKET
TimeoutStartSec=${REGISTERED_MS / 1000}
`,
    )
    await machine().systemctl('start', '--no-block', ...units())
    await machine().waitFor(
      'sdbridge.service',
      { StatusText: `Bridging ${CONTAINERS} containers` },
      { timeoutMs: REGISTERED_MS },
    )
  }, REGISTERED_MS)

  test('are registered, and stored', async () => {
    await untilStored(CONTAINERS)
    for (const unit of units()) expect(machine().output(unit)).toBe('')
  })

  test('restarted and killed under load, the daemon loses nothing and repeats next to nothing', async () => {
    // Each notification is in the log then.
    await machine().systemctl('log-level', 'debug')
    senders = new NumberedSenders(host, CONTAINERS)
    await senders.send()
    await senders.during(async () => {
      await delay(500)
      await restarted(() => machine().systemctl('restart', 'sdbridge.service'))
      await delay(500)
      await restarted(() => machine().systemctl('kill', '-s', 'KILL', 'sdbridge.service'))
      await delay(500)
    })
    await senders.send()
    await senders.end()

    for (const unit of units()) await untilLastSaid(unit)
    await machine().systemctl('log-level', 'info')
    const arrived = numbersIn(await machine().log())
    const all = Array.from({ length: senders.rounds }, (_, index) => index + 1)
    expect(arrived.size).toBe(CONTAINERS)
    let repeated = 0
    for (const [container, counts] of arrived) {
      const once = counts.filter((count, index) => count !== counts[index - 1])
      expect(once, `of n${container}`).toEqual(all)
      // It was killed once.
      expect(counts.length - once.length).toBeLessThanOrEqual(1)
      repeated += counts.length - once.length
    }
    // Of all together, one is between the two queues.
    expect(repeated).toBeLessThanOrEqual(1)
  }, 180_000)

  test('nothing was dropped, nothing is left, and all are stored still', async () => {
    const list = await host.list()
    expect(list).toHaveLength(CONTAINERS)
    for (const each of list)
      expect(each).toMatchObject({ state: 'ready', waiting: 0, droppedMessages: {} })
    await untilStored(CONTAINERS)
    await machine().systemctl('restart', 'sdbridge.service')
    await untilStored(CONTAINERS)
    expect(await host.list()).toEqual(list)
  })

  test('cost nothing while none says anything', async () => {
    const { MainPID } = await machine().show('sdbridge.service', 'MainPID')
    // It pings its watchdog every 15 seconds, and is quiet in between.
    await expectQuiet(machine().path(`/proc/${MainPID}`))
  })

  test('with their units they go, on disk and in the store', async () => {
    await machine().systemctl('stop', ...units())
    await host.waitFor('sdbridge.service', { StatusText: 'Bridging 0 containers' })
    await untilStored(0)
    await machine().systemctl('restart', 'sdbridge.service')
    expect(await host.list()).toEqual([])
  }, 120_000)

  async function restarted(action: () => Promise<unknown>): Promise<void> {
    const before = await machine().show('sdbridge.service', 'MainPID')
    await action()
    await expect
      .poll(() => machine().show('sdbridge.service', 'MainPID', 'SubState'), { timeout: 30_000 })
      .toSatisfy(
        ({ MainPID, SubState }) =>
          SubState === 'running' && MainPID !== '0' && MainPID !== before['MainPID'],
      )
  }

  async function untilStored(count: number): Promise<void> {
    await host.waitFor('sdbridge.service', { NFileDescriptorStore: `${count}` })
  }

  async function untilLastSaid(unit: string): Promise<void> {
    await expect
      .poll(() => machine().show(unit, 'ActiveState', 'StatusText'), { timeout: ARRIVED_MS })
      .toEqual({
        ActiveState: 'active',
        StatusText: expect.stringMatching(new RegExp(` ${senders.rounds}$`)),
      })
  }
})

function units(): string[] {
  return Array.from({ length: UNITS }, (_, index) => `load@${index}.service`)
}

/** Which numbers the service manager has taken of each container, in order. */
function numbersIn(log: string): Map<number, number[]> {
  const numbers = new Map<number, number[]>()
  for (const [, container, count] of log.matchAll(
    /load@\d+\.service: Got notification message from PID.*?STATUS=(\d+) (\d+)/g,
  )) {
    const counts = numbers.get(Number(container)) ?? []
    numbers.set(Number(container), counts)
    counts.push(Number(count))
  }
  return numbers
}
