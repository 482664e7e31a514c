import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DatagramSocket } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Random } from '../../../test/support/random.js'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { cgroupsOf } from '../src/cgroups/process-cgroups.js'
import { checkPrivileges } from '../src/daemon/check-privileges.js'
import { type ArrivedMessage, StoreManager } from './daemon/store-manager.js'
import { until } from './proxy/bench.js'
import { program, Program } from './proxy/program.js'

const CONTAINERS = 1000
const UNITS = 20
const KILLS = 20
const STOPS = 3
/** Between two kills. */
const REGISTERED_EACH_TIME = 40
const REGISTERED = KILLS * REGISTERED_EACH_TIME
/** Without a message, after which one was lost. */
const LONGEST_PAUSE_MS = 10_000
const SEED = Number(process.env['SDBRIDGE_CRASH_SEED'] ?? process.pid)

/** What has arrived of all containers. */
class Numbers {
  /** Of each. */
  readonly last: number[] = Array.from({ length: CONTAINERS }, () => 0)
  readonly #repeats: number[] = Array.from({ length: CONTAINERS }, () => 0)
  /** What came neither in its turn nor once more. */
  readonly outOfTurn: (ArrivedMessage & { readonly last: number })[] = []
  /** What came once more, and had no descriptors: it is with the service manager as soon as it is sent. */
  plainRepeats = 0

  add(message: ArrivedMessage): void {
    const { container, count, hasFds } = message
    const last = this.last[container] ?? Number.NaN
    if (count === last) {
      this.#repeats[container]!++
      if (!hasFds) this.plainRepeats++
      return
    }
    if (count !== last + 1) this.outOfTurn.push({ ...message, last })
    this.last[container] = count
  }

  get least(): number {
    return Math.min(...this.last)
  }

  /** Of the container of which most came once more. */
  get mostRepeats(): number {
    return Math.max(...this.#repeats)
  }

  get repeats(): number {
    return this.#repeats.reduce((sum, each) => sum + each, 0)
  }
}

describe.runIf(isRoot() && works(PYTHON, '-c', '') && mayClaim())('the daemon ends', () => {
  test('killed at random moments: nothing is lost, and one message of each is repeated at most', async () => {
    const { finish, manager, numbers } = await startBridged()
    const random = new Random(SEED)
    for (let kill = 1; kill <= KILLS; kill++) {
      if (random.chance(0.2)) await delay(random.below(300))
      else await receiveMore(manager, random.below(3000))
      await manager.end('SIGKILL')
      manager.start()
    }
    await finish()
    expect({ outOfTurn: numbers.outOfTurn, foreign: manager.foreign }, `seed ${SEED}`).toEqual({
      outOfTurn: [],
      foreign: [],
    })
    expect(numbers.mostRepeats).toBeLessThanOrEqual(KILLS)
    // Of all containers together, one message is between the two queues.
    expect(numbers.plainRepeats).toBeLessThanOrEqual(KILLS)
    expect(manager.storeSize).toBe(CONTAINERS)
  }, 120_000)

  test('stopped as for an upgrade: nothing is lost, and nothing repeated', async () => {
    const { finish, manager, numbers } = await startBridged()
    for (let stop = 1; stop <= STOPS; stop++) {
      await receiveMore(manager, 2000)
      await manager.end('SIGTERM')
      manager.start()
    }
    await finish()
    expect({ outOfTurn: numbers.outOfTurn, foreign: manager.foreign }).toEqual({
      outOfTurn: [],
      foreign: [],
    })
    expect(numbers.repeats).toBe(0)
    expect(manager.storeSize).toBe(CONTAINERS)
  }, 120_000)
})

test.runIf(isRoot() && mayClaim())(
  'killed while containers are registered: each is registered wholly or not at all',
  async () => {
    const main = spawn('sleep', ['infinity'])
    onTestFinished(() => void main.kill())
    const arrived: number[] = []
    const [cgroup = ''] = cgroupsOf('self')
    const manager = new StoreManager(temporaryDirectory(), cgroup, [main.pid!], ({ container }) =>
      arrived.push(container),
    )
    const numbers = Array.from({ length: REGISTERED }, (_, index) => index)
    const names = numbers.map((number) => `c${number}`)
    const random = new Random(SEED)
    for (let kill = 1; kill <= KILLS; kill++) {
      manager.start()
      manager.register(main.pid!, names.slice(0, kill * REGISTERED_EACH_TIME))
      await manager.saysSomething()
      await delay(random.below(30))
      await manager.end('SIGKILL')
    }
    manager.start()
    manager.register(main.pid!, names)
    await manager.bridges(REGISTERED)
    await until(() => manager.storeSize === REGISTERED)
    for (const number of numbers) {
      const sender = new DatagramSocket('unix')
      const path = join(manager.directory, `notify/c${number}/notify.sock`)
      sender.trySend(Buffer.from(`STATUS=${number} 1`), { address: { family: 'unix', path } })
      sender.close()
    }
    await until(() => arrived.length === REGISTERED)
    expect(arrived.toSorted((one, other) => one - other)).toEqual(numbers)
    // What the last run was told is what the next one finds.
    await manager.end('SIGKILL')
    manager.start()
    await manager.bridges(REGISTERED)
    expect(manager.storeSize).toBe(REGISTERED)
  },
  60_000,
)

/** A daemon that bridges all containers, which send. */
async function startBridged() {
  const numbers = new Numbers()
  const mains = Array.from({ length: UNITS }, () => spawn('sleep', ['infinity']))
  onTestFinished(() => mains.forEach((each) => each.kill()))
  const pids = mains.map((each) => each.pid!)
  const [cgroup = ''] = cgroupsOf('self')
  const manager = new StoreManager(temporaryDirectory(), cgroup, pids, (message) =>
    numbers.add(message),
  )
  manager.start()
  await manager.bridges(0)
  const perUnit = CONTAINERS / UNITS
  for (const [unit, pid] of pids.entries())
    manager.register(
      pid,
      Array.from({ length: perUnit }, (_, index) => `c${unit * perUnit + index}`),
    )
  await manager.bridges(CONTAINERS)
  await until(() => manager.storeSize === CONTAINERS)

  const half = CONTAINERS / 2
  const senders = [
    startSender(manager, [0, half - 1], 'blocking'),
    startSender(manager, [half, CONTAINERS - 1], 'polling'),
  ]
  await Promise.all(senders.map((sender) => sender.says('connected')))
  /** Waits until each message that was sent has come. */
  const finish = async (): Promise<void> => {
    for (const sender of senders) sender.child.stdin!.end()
    const last = await Promise.all(senders.map((sender) => sender.line(1)))
    const counts = last.map(Number)
    const isAll = (): boolean => numbers.least >= Math.min(...counts)
    for (let before = -1; !isAll() && before !== manager.received;) {
      before = manager.received
      await Promise.race([until(isAll), delay(LONGEST_PAUSE_MS)])
    }
    // What comes once more comes now.
    await delay(200)
    expect(numbers.last).toEqual(
      Array.from({ length: CONTAINERS }, (_, container) => counts[container < half ? 0 : 1]),
    )
  }
  return { finish, manager, numbers }
}

function startSender({ directory }: StoreManager, range: number[], mode: string): Program {
  const pattern = join(directory, 'notify/c{}/notify.sock')
  const words = [pattern, ...range.map(String), mode, '0.1']
  return new Program(PYTHON, program('../daemon/send-numbered.py'), ...words)
}

async function receiveMore(manager: StoreManager, count: number): Promise<void> {
  const goal = manager.received + count
  await until(() => manager.received >= goal)
}

function mayClaim(): boolean {
  try {
    checkPrivileges()
    return true
  } catch (error) {
    process.stderr.write(`${(error as Error).message}; tests of the daemon are skipped\n`)
    return false
  }
}
