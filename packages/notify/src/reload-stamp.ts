import { monotonicUsec } from '@sdbridge/syscalls'
import type { Assignments } from './assignments.js'

/**
 * Adds to a `reloading` the time at which it began, unless it was given: a reload of a `Type=notify-reload` unit counts only with that,
 * as systemd 253 ff. wait for a stamp that is not older than their own request.
 */
export function withReloadStamp(assignments: Assignments): Assignments {
  if (assignments?.reloading !== true || assignments.monotonicUsec !== undefined) {
    return assignments
  }
  return { ...assignments, monotonicUsec: now() }
}

// Without the addon, Node's clock, which is the same one; that of other runtimes is not.
function now(): bigint {
  try {
    return monotonicUsec()
  } catch {
    return process.hrtime.bigint() / 1000n
  }
}
