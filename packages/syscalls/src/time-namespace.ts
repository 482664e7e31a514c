import { readFileSync, readlinkSync } from 'node:fs'

/**
 * What to add to a CLOCK_MONOTONIC time of a process in another time namespace to get ours, in nanoseconds
 * (time_namespaces(7)): 0 where both are in the same one, or the kernel has none (before 5.6).
 *
 * @param pid The process, as numbered in our pid namespace. Needs the right to look into it (ptrace(2)).
 * @returns `undefined` if it cannot be known: a process that has made a time namespace for its children, and is itself in
 *   a third one.
 * @throws Error of node:fs, such as `ENOENT` (there is no such process) or `EACCES`.
 */
export function monotonicOffset(pid: number): bigint | undefined {
  const own = namespaceOf('self', 'time')
  if (own === undefined) return 0n
  const theirs = namespaceOf(pid, 'time')
  if (theirs === own) return 0n
  // The kernel tells the offsets of the namespace in which children will be.
  if (theirs !== namespaceOf(pid, 'time_for_children')) return undefined
  if (own !== namespaceOf('self', 'time_for_children')) return undefined
  return offsetOf('self') - offsetOf(pid)
}

function namespaceOf(process: number | 'self', kind: string): string | undefined {
  try {
    return readlinkSync(`/proc/${process}/ns/${kind}`)
  } catch (error) {
    if (process === 'self' && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Lines such as `monotonic  -86400  0`: seconds, and nanoseconds that are never negative. */
function offsetOf(process: number | 'self'): bigint {
  const text = readFileSync(`/proc/${process}/timens_offsets`, 'latin1')
  const match = /^monotonic\s+(-?\d+)\s+(\d+)$/m.exec(text)
  if (match === null)
    throw new Error(`/proc/${process}/timens_offsets says nothing of the monotonic clock`)
  return BigInt(match[1]!) * 1_000_000_000n + BigInt(match[2]!)
}
