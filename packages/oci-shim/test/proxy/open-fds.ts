import { readdirSync, readlinkSync } from 'node:fs'
import { until } from './bench.js'

/** The descriptors that this process has open, each with what it is of. */
export function openFds(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return `${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`
    } catch {
      // That of the listing itself is closed by now.
      return []
    }
  })
}

/** Waits until as many are open as before: those of strangers are closed a moment later. */
export async function untilOpen(count: number): Promise<void> {
  await until(() => openFds().length <= count)
}

/** What a descriptor is of, such as `pipe:[1234]`. */
export function linkOf(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`)
}
