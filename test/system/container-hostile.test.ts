import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { Container, EngineName } from './containers/container.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import type { Payload } from './containers/payload.js'
import { inside } from './repository.js'

/**
 * `SDBRIDGE_HOSTILE_SEC=180` makes it minutes; `SDBRIDGE_HOSTILE_SEED` does the same again, and `SDBRIDGE_HOSTILE_ONLY=linger,nested`
 * only some of it.
 */
const SECONDS = Number(process.env['SDBRIDGE_HOSTILE_SEC'] ?? 15)
const SEED = process.env['SDBRIDGE_HOSTILE_SEED'] ?? `${Date.now() % 1_000_000}`

const ONLY = process.env['SDBRIDGE_HOSTILE_ONLY']?.split(',') ?? []

/** Whoever closes what the payload has made slow to close stands still for a minute, and who has to read on cannot answer until the end. */
const LONGEST_OF_MANAGER_MS = 5000
/** Of a process in the midst of the attackers, whose messages wait behind theirs. */
const LONGEST_ANSWER_MS = 10_000
/**
 * By how much the second half may exceed the first: V8 takes its young generation (48 MiB) and room for long messages step by step. What
 * leaks slowly is for minutes, and for `pnpm test:soak`.
 */
const ALLOWANCE_KIB = 64 * 1024

describeContainers(
  'a hostile payload',
  (scenario) => {
    scenario(
      'hostile',
      'its bridge, the manager and a neighbour go on as before',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'hostile', {
          // It lives by the pings of one of its processes, among all the others.
          settings: `WatchdogSec=${LONGEST_ANSWER_MS / 1000}\nFileDescriptorStoreMax=20`,
          // Without a limit of its own the bridge leaves it to systemd to count, which complains of each that is too much.
          bridge: ['--store-limit', '20'],
          container: unconfined(engine),
        })
        const neighbour = await BridgedService.write(host, engine, 'neighbour', {
          settings: 'WatchdogSec=2',
        })
        const [payload, other] = [await service.startReady(), await neighbour.startReady()]
        const bridge = new Bridge(host, await service.show('MainPID'))
        const others = await neighbour.show(...STATE)
        const logBefore = (await host.machine.log()).length
        const before = await bridge.measure()

        let isOver = false
        const end = Date.now() + (SECONDS + 60) * 1000
        const goOn = (): boolean => !isOver && Date.now() < end
        const ofManager = new Answers(`systemctl of ${engine}'s host`)
        const ofBridge = new Answers(`barriers of ${service.unit}`)
        const memory: number[] = []
        await payload.start(['python3', '/hostile/hostile.py', `${SECONDS}`, SEED, ...ONLY])
        await Promise.all([
          service.host.machine
            .waitForOutput(service.unit, 'hostile: over', { timeoutMs: (SECONDS + 60) * 1000 })
            .finally(() => (isOver = true)),
          repeat(goOn, () => other.ping('WATCHDOG=1', { count: 4, intervalMs: 250 })),
          repeat(goOn, async () => {
            await ofBridge.time(() => isAnswered(payload))
            await delay(200)
          }),
          repeat(goOn, async () => {
            await ofManager.time(() => neighbour.show('ActiveState'))
            memory.push((await bridge.measure()).memoryKib)
            await delay(200)
          }),
        ])
        expect(await neighbour.show(...STATE)).toEqual(others)

        const results = resultsIn(service.output())
        const half = Math.floor(memory.length / 2)
        const [first, second] = [memory.slice(0, half), memory.slice(half)].map((part) =>
          Math.max(...part),
        )
        const resident = `resident: ${before.memoryKib} KiB before, at most ${first} and ${second} in the two halves`
        tell(engine, results, ofManager, ofBridge, resident)
        for (const [attack, { sent }] of Object.entries(results))
          expect([attack, sent]).toEqual([attack, expect.toSatisfy((count: number) => count > 0)])
        expect(ofManager.longest).toBeLessThan(LONGEST_OF_MANAGER_MS)
        expect(complaintsIn((await host.machine.log()).slice(logBefore))).toEqual([])

        // Nothing has stayed: what it has now are the descriptors that it had.
        await expect
          .poll(async () => (await bridge.measure()).fds.length, { timeout: LONGEST_ANSWER_MS })
          .toBeLessThanOrEqual(before.fds.length)
        expect(second).toBeLessThan(first! + ALLOWANCE_KIB)
        await payload.send('STATUS=after all that\nWATCHDOG=1')
        await service.waitFor({ ActiveState: 'active', StatusText: 'after all that' })
        expect(await service.show('MainPID', 'Result', 'NRestarts')).toEqual({
          MainPID: `${bridge.pid}`,
          Result: 'success',
          NRestarts: '0',
        })
      },
    )
  },
  { longestTestMs: (SECONDS + 120) * 1000 },
)

const STATE = ['ActiveState', 'SubState', 'Result', 'NRestarts', 'MainPID', 'InvocationID']

/** A container that may make user namespaces and become other users, with the hostile program in it. */
function unconfined(engine: EngineName): Partial<Container> {
  const isOfImage = engine === 'docker' || engine === 'podman'
  return {
    mounts: { '/hostile': inside('test/system/containers/payload') },
    ...(isOfImage && { options: ['--security-opt', 'seccomp=unconfined'] }),
    edit({ process }) {
      for (const set of ['bounding', 'effective', 'permitted'])
        process.capabilities[set]?.push('CAP_SETUID', 'CAP_SETGID')
    },
  }
}

/** The bridge's process, seen from outside. */
class Bridge {
  readonly pid: number
  readonly #folder: string

  constructor({ machine }: ContainerHost, { MainPID = '' }: Record<string, string>) {
    this.pid = Number(MainPID)
    this.#folder = machine.path(`/proc/${MainPID}`)
  }

  async measure(): Promise<{ memoryKib: number; fds: string[] }> {
    const status = readFileSync(`${this.#folder}/status`, 'utf8')
    return {
      memoryKib: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]),
      fds: readdirSync(`${this.#folder}/fd`),
    }
  }
}

/** How long answers take. */
class Answers {
  readonly #who: string
  readonly #times: number[] = []

  constructor(who: string) {
    this.#who = who
  }

  get longest(): number {
    return Math.max(...this.#times)
  }

  async time(action: () => Promise<unknown>): Promise<void> {
    const start = performance.now()
    await action()
    this.#times.push(performance.now() - start)
  }

  toString(): string {
    const sorted = this.#times.toSorted((a, b) => a - b)
    const at = (part: number): string =>
      `${sorted[Math.floor(part * (sorted.length - 1))]?.toFixed(0)} ms`
    return `${this.#who}: ${sorted.length} answers, median ${at(0.5)}, 99 % ${at(0.99)}, longest ${at(1)}`
  }
}

async function repeat(goOn: () => boolean, action: () => Promise<void>): Promise<void> {
  while (goOn()) await action()
}

/** The well-behaved process of a container full of others: the manager acknowledges what it says. */
async function isAnswered(payload: Payload): Promise<void> {
  await payload.send('WATCHDOG=1')
  await sendBarrier(payload)
  expect(await payload.isReleased('good', LONGEST_ANSWER_MS)).toBe(true)
}

/** Of descriptors on their way the kernel counts those of one user, whoever sends them, and refuses more. */
async function sendBarrier(payload: Payload): Promise<void> {
  const end = Date.now() + LONGEST_ANSWER_MS
  for (;;) {
    try {
      return await payload.sendBarrier('good')
    } catch (error) {
      const isPassing = (error as NodeJS.ErrnoException).code === 'ETOOMANYREFS'
      if (!isPassing || Date.now() > end) throw error
      await delay(20)
    }
  }
}

function resultsIn(output: string): Record<string, { sent: number; refused: number }> {
  const [, json = ''] = /hostile: over (\{.*\})/.exec(output) ?? []
  return JSON.parse(json) as ReturnType<typeof resultsIn>
}

/** What the manager says of notifications, but that one came. */
function complaintsIn(log: string): string[] {
  return log
    .split('\n')
    .filter((line) => /notif|barrier|credentials|descriptor|\bfds?\b/i.test(line))
    .filter((line) => !line.includes('Got notification message from PID'))
}

function tell(engine: EngineName, results: unknown, ...rest: (Answers | string)[]): void {
  process.stderr.write(`${engine}, seed ${SEED}: ${JSON.stringify(results)}\n`)
  for (const each of rest) process.stderr.write(`  ${String(each)}\n`)
}
