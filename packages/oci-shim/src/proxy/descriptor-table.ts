import { readdirSync } from 'node:fs'
import { getFileLimit } from '@sdbridge/syscalls'

/** Between two looks at the table, no more are received than this, and a batch. */
const LOOK_AFTER = 64
/** So many may be on their way to the service manager, or to their end. */
const MOST_OF_STRANGERS = 4096

let receivedSinceLook = 0
let atFirst: number | undefined
let isFilling = false

/**
 * Whether this process' descriptor table is so full that no more should be received: with a full one the kernel drops descriptors
 * inside recvmsg(2), which can take as long as their sender likes. It sees what is being closed, too, as long as that takes.
 *
 * @param received How many descriptors have come since the last call.
 * @param again Look in any case.
 */
export function isTableFilling(received: number, again = false): boolean {
  receivedSinceLook += received
  if (receivedSinceLook < LOOK_AFTER && !again) return isFilling
  receivedSinceLook = 0
  isFilling = isFull(received)
  return isFilling
}

function isFull(received: number): boolean {
  try {
    const count = readdirSync('/proc/self/fd').length
    atFirst ??= count - received
    return count > Math.min(getFileLimit().soft / 2, atFirst + MOST_OF_STRANGERS)
  } catch {
    // Not even the listing can be opened.
    return true
  }
}
