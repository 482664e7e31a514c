import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { makeBundle, payload } from './run/bundle.js'
import { BridgedUnit } from './run/unit.js'

/** What it does more rarely is no load. */
const QUIET_MS = 6000
/** After a start, a collector of garbage may have something to do for a while. */
const LONGEST_MS = 26_000
const LOOK_MS = 100

const hasPython = works(PYTHON, '--version')
const hasRunc = isRoot() && works('runc', '--version') && hasPython
const STEPS = ['on:TERM exit:0', 'send:READY=1\nSTATUS=idle', 'forever']

test.skipIf(!hasPython)(
  'an idle container costs the bridge nothing',
  async () => {
    const units = [new BridgedUnit(['--', ...payload(...STEPS)])]
    if (hasRunc) {
      const command = ['runc', 'run', '--bundle', makeBundle(STEPS), `idle-${process.pid}`]
      units.push(new BridgedUnit(['--', ...command]))
    }
    await Promise.all(units.map(expectQuiet))
  },
  60_000,
)

/** None of its threads is woken, by a timer or anything else: each time, it would wait again. */
async function expectQuiet(unit: BridgedUnit): Promise<void> {
  await unit.service.start()
  const end = Date.now() + LONGEST_MS
  let before = activityOf(unit.pid)
  for (let quietMs = 0; quietMs < QUIET_MS; quietMs += LOOK_MS) {
    await delay(LOOK_MS)
    const now = activityOf(unit.pid)
    if (now !== before) quietMs = 0
    if (Date.now() > end) expect(now, 'it goes on doing something').toBe(before)
    before = now
  }
  // It is there all the same.
  await unit.service.stop()
  expect(unit.notifications).toContainEqual({ ready: true, status: 'idle' })
}

/** How often each of a process' threads has had to wait or make way, and the time that it has used. */
function activityOf(pid: number): string {
  const switches = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')
    return `${thread}: ${status.match(/\d+$/gm)?.slice(-2).join(' + ')}`
  })
  const [, utime, stime] = /\) (?:\S+ ){11}(\d+) (\d+)/.exec(
    readFileSync(`/proc/${pid}/stat`, 'utf8'),
  )!
  return [...switches, `${utime} + ${stime} ticks`].join('\n')
}
