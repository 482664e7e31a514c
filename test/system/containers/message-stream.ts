import { expect } from 'vitest'
import type { BridgedService } from './bridged-service.js'
import type { Payload } from './payload.js'

const LONGEST_WAIT_MS = 30_000

/** What of a stream has arrived at the manager, by its log at the level debug. */
export interface Arrived {
  /** The numbers of the messages, in the order in which it has taken them. */
  numbers: number[]
  /** The numbers of those whose descriptor was put into the store. */
  stored: number[]
}

/** Starts the service and a stream of numbered messages, and returns when some barriers have been released. */
export async function startStream(
  service: BridgedService,
  options: { pauseMs?: number } = {},
): Promise<Payload> {
  const payload = await service.startReady()
  await payload.startStream(options)
  await streamGoesOn(payload)
  return payload
}

/** Waits until so many more messages have been sent and a barrier behind them has been released. */
export async function streamGoesOn(payload: Payload, messages = 100): Promise<void> {
  const goal = payload.stream.sent + messages
  await expect
    .poll(() => payload.stream, { timeout: LONGEST_WAIT_MS })
    .toSatisfy(({ released, error }) => error !== undefined || released >= goal)
  expect(payload.stream.error).toBeUndefined()
}

/** Ends a stream: all of it has arrived, in order, once. */
export async function expectAllArrived(service: BridgedService, payload: Payload): Promise<void> {
  const last = await payload.finishStream()
  expect(payload.stream).toEqual({ sent: last, released: last })
  await expect
    .poll(async () => (await arrived(service)).numbers.at(-1), { timeout: LONGEST_WAIT_MS })
    .toBe(last)
  expect(await arrived(service)).toEqual(upTo(last))
  const { NFileDescriptorStore } = await service.show('NFileDescriptorStore')
  expect(Number(NFileDescriptorStore)).toBe(upTo(last).stored.length)
}

/**
 * Looks at a stream whose container or bridge was killed, when the unit has ended: what has arrived is its beginning, in order, once, and what
 * is missing came behind the last barrier that was released.
 *
 * @param mostLost How many messages may be missing.
 */
export async function expectOnlyEndLost(
  service: BridgedService,
  { stream: { sent, released } }: Payload,
  mostLost: number,
): Promise<void> {
  // The manager says so after it has read what was sent to it.
  await service.waitForLog('Main process exited')
  const found = await arrived(service)
  const last = found.numbers.at(-1) ?? 0
  expect(found).toEqual(upTo(last))
  expect(last).toBeGreaterThanOrEqual(Math.max(released, sent - mostLost))
  // It was killed before it could tell of the last one.
  expect(last).toBeLessThanOrEqual(sent + 1)
}

async function arrived(service: BridgedService): Promise<Arrived> {
  const log = (await service.host.machine.log()).split('\n')
  const added = log.flatMap((line) => {
    if (!line.includes(`${service.unit}: Added fd`)) return []
    const [, number] = /\(sdbridge\.number-(\d+)\) to fd store/.exec(line) ?? []
    return number === undefined ? [] : [Number(number)]
  })
  return {
    numbers: (await service.notifications()).flatMap((text) => numberIn(text)),
    // A manager that executes itself anew adds them anew.
    stored: [...new Set(added)].toSorted((one, another) => one - another),
  }
}

function numberIn(notification: string): number[] {
  const [, number] = /\b(?:X_NUMBER|STATUS)=(\d+)/.exec(notification) ?? []
  return number === undefined ? [] : [Number(number)]
}

/** As payload/stream.py sends it. */
function upTo(last: number): Arrived {
  const numbers = Array.from({ length: last }, (_, index) => index + 1)
  return { numbers, stored: numbers.filter((number) => number % 10 === 5) }
}
