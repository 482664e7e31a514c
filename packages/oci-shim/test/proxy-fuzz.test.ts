import { isUtf8 } from 'node:buffer'
import { openSync } from 'node:fs'
import {
  MESSAGE_MAX_BYTES,
  parseMessage,
  type ParsedAssignments,
  withoutControls,
} from '@sdbridge/notify/relay'
import { closeForeignFds, pidfdOpen } from '@sdbridge/syscalls'
import { expect, test } from 'vitest'
import { Random } from '../../../test/support/random.js'
import { makeMessage } from '../../notify/test/fuzz/make-message.js'
import { Bench } from './proxy/bench.js'
import { openFds, untilOpen } from './proxy/open-fds.js'
import { RawManager } from './proxy/raw-manager.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

/** `SDBRIDGE_FUZZ_MESSAGES` and `SDBRIDGE_FUZZ_SEED` make it longer, and another one. */
const MESSAGES = Number(process.env['SDBRIDGE_FUZZ_MESSAGES'] ?? 10_000)
const SEED = Number(process.env['SDBRIDGE_FUZZ_SEED'] ?? 1)
const PREFIX = 'box.'

interface Expected {
  readonly assignments: ParsedAssignments
  readonly fdCount: number
}

/** What goes to the manager, said once more; `undefined` if nothing does. */
function expectedOf(message: Buffer, fdCount: number): Expected | undefined {
  const parsed = parseMessage(message)
  if ('rejected' in parsed) return undefined
  const { assignments, lines, problems } = parsed
  if (assignments.barrier) {
    return lines.length === 1 && fdCount === 1 ? { assignments, fdCount } : undefined
  }
  const usedUp = assignments.mainPidFd && fdCount === 1
  const { mainPid, mainPidFdId, mainPidFd, notifyAccess, ...rest } = assignments
  void [mainPid, mainPidFdId, mainPidFd, notifyAccess]
  if (problems.some(({ assignment }) => assignment === 'STATUS')) delete rest.status
  if (rest.status !== undefined) rest.status = withoutControls(rest.status)
  for (const [key, value] of Object.entries(rest.extra ?? {})) {
    if (!isUtf8(message) && value.includes('\ufffd')) delete rest.extra![key as `X_${string}`]
  }
  if (rest.extra !== undefined && Object.keys(rest.extra).length === 0) delete rest.extra
  const name = PREFIX + (rest.fdName ?? 'stored')
  const canStore = !usedUp && fdCount > 0 && name.length <= 255
  if (rest.fdStoreRemove && name.length <= 255) rest.fdName = name
  else if (rest.fdStore && canStore) rest.fdName = name
  else {
    for (const property of ['fdStore', 'fdStoreRemove', 'fdName', 'fdPoll'] as const) {
      delete rest[property]
    }
  }
  if (Object.keys(rest).length === 0) return undefined
  return { assignments: rest, fdCount: rest.fdStore ? fdCount : 0 }
}

test(`whatever is sent: the manager reads what was meant, and no descriptor stays open (${MESSAGES} messages)`, async () => {
  const random = new Random(SEED)
  const manager = new RawManager()
  const bench = new Bench({
    upstream: manager.path,
    store: { prefix: PREFIX, limit: Infinity },
  })
  const pipe = new TestPipe()
  const kinds = [pipe.writeFd, pipe.readFd, openSync('/dev/null', 'r'), pidfdOpen(process.pid)]
  kinds.push(bench.payload.fd)
  await bench.send('READY=1')
  await manager.until(1)
  manager.messages.length = 0
  const before = openFds().length

  let [compared, nothing] = [0, 0]
  for (let round = 0; round < MESSAGES; round++) {
    const message = makeMessage(random)
    const fds = random.chance(0.4) ? random.upTo(4, () => random.pick(kinds)) : []
    await bench.send(message, fds)
    await bench.proxy.idle()
    manager.receiver.readBatch()
    expect(bench.proxy.counters.received).toBe(round + 2)
    const [sent, guard, ...more] = manager.messages.splice(0)
    // Behind descriptors goes a barrier of the bridge's own.
    expect(more).toEqual([])
    if (guard !== undefined)
      expect([guard.data.toString(), sent!.fds.length > 0]).toEqual(['BARRIER=1', true])
    closeForeignFds(guard?.fds ?? [])
    const expected = expectedOf(message, fds.length)
    if (sent === undefined) nothing++
    else {
      expect(sent.truncated).toBe(false)
      expect(sent.data.length).toBeLessThanOrEqual(MESSAGE_MAX_BYTES)
      expect(sent.data.length).toBeGreaterThan(0)
    }
    const parsed = sent && parseMessage(sent.data)
    const shown = `seed ${SEED}, round ${round}: ${JSON.stringify(message.toString('latin1'))}`
    // A few come to be longer than what systemd reads, and are shortened.
    const isLong = message.length > MESSAGE_MAX_BYTES - 64
    if (parsed === undefined || expected === undefined || 'rejected' in parsed) {
      if (!isLong) expect([shown, sent?.data.toString()]).toEqual([shown, expected])
    } else {
      expect([shown, parsed.problems]).toEqual([shown, []])
      if (!isLong) {
        expect([shown, parsed.assignments]).toEqual([shown, expected.assignments])
        compared++
      }
      expect(sent!.fds).toHaveLength(expected.fdCount)
    }
    closeForeignFds(sent?.fds.splice(0) ?? [])
  }
  expect(compared).toBeGreaterThan(MESSAGES / 4)
  expect(nothing).toBeGreaterThan(MESSAGES / 50)
  expect(bench.proxy.counters.droppedMessages).not.toHaveProperty('failed')
  await untilOpen(before)
}, 600_000)

test('however long it is: what arrives is valid, and tells of each state that came whole', async () => {
  const random = new Random(SEED)
  const manager = new RawManager()
  const bench = new Bench({ upstream: manager.path, notifyAccess: true })
  let rescued = 0
  for (let round = 0; round < MESSAGES / 20; round++) {
    const parts = random.upTo(60, () => [makeMessage(random), Buffer.from('\n')]).flat()
    // A NUL or a barrier would end it for all of them.
    const fit = parts.filter((part) => !part.includes(0) && !part.includes('BARRIER'))
    const message = Buffer.concat(fit)
    await bench.send(message)
    await bench.proxy.idle()
    manager.receiver.readBatch()
    const [sent] = manager.messages.splice(0)
    const whole = parseMessage(message)
    if (sent === undefined || 'rejected' in whole) continue
    expect(sent.data.length).toBeLessThanOrEqual(MESSAGE_MAX_BYTES)
    const parsed = parseMessage(sent.data)
    if ('rejected' in parsed) throw new Error(`seed ${SEED}, round ${round}: ${parsed.rejected}`)
    expect(parsed.problems).toEqual([])
    expect(parsed.unknown.filter((line) => !line.startsWith('X_'))).toEqual([])
    // Of what is longer, what lies behind is not received.
    if (message.length > 64 * 1024) continue
    if (message.length > MESSAGE_MAX_BYTES) rescued++
    const { extra, status, busError, varlinkError, ...states } = whole.assignments
    void [extra, status, busError, varlinkError]
    for (const property of ['mainPid', 'mainPidFdId', 'mainPidFd'] as const) delete states[property]
    for (const property of ['fdStore', 'fdStoreRemove', 'fdName', 'fdPoll'] as const) {
      delete states[property]
    }
    expect(parsed.assignments).toMatchObject(states)
  }
  expect(rescued).toBeGreaterThan(MESSAGES / 200)
  expect(bench.proxy.counters.droppedMessages).not.toHaveProperty('failed')
}, 600_000)
