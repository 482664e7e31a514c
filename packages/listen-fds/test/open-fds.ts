import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

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

/** Whether a descriptor of this process is open. */
export function isOpen(fd: number): boolean {
  return openFds().some((open) => open.startsWith(`${fd} `))
}

/** Waits for what must come; the test's timeout is the limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5)
}
