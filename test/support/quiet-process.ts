import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'

/** What it does more rarely is no load. */
const QUIET_MS = 6000
/** After a start, a collector of garbage may have something to do for a while. */
const LONGEST_MS = 26_000
const LOOK_MS = 100

/**
 * None of a process' threads is woken, by a timer or anything else: each time, it would wait again.
 *
 * @param directory Of the process, in /proc.
 */
export async function expectQuiet(directory: string): Promise<void> {
  const end = Date.now() + LONGEST_MS
  let before = activityOf(directory)
  for (let quietMs = 0; quietMs < QUIET_MS; quietMs += LOOK_MS) {
    await delay(LOOK_MS)
    const now = activityOf(directory)
    if (now !== before) quietMs = 0
    // oxlint-disable-next-line vitest/no-standalone-expect
    if (Date.now() > end) expect(now, 'it goes on doing something').toBe(before)
    before = now
  }
}

/** How often each of a process' threads has had to wait or make way, and the time that it has used. */
function activityOf(directory: string): string {
  const switches = readdirSync(join(directory, 'task')).map((thread) => {
    const status = readFileSync(join(directory, 'task', thread, 'status'), 'utf8')
    return `${thread}: ${status.match(/\d+$/gm)?.slice(-2).join(' + ')}`
  })
  const [, utime, stime] = /\) (?:\S+ ){11}(\d+) (\d+)/.exec(
    readFileSync(join(directory, 'stat'), 'utf8'),
  )!
  return [...switches, `${utime} + ${stime} ticks`].join('\n')
}
