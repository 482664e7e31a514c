import { monotonicOffset } from '@sdbridge/syscalls'
import createDebug from 'debug'

const debug = createDebug('sdbridge:proxy:translate')

/**
 * Our CLOCK_MONOTONIC at the time that a payload calls `usec`: in a time namespace it has another one.
 *
 * @param pids Whom to ask for the offset, the most telling first: a sender may have gone.
 * @returns `usec` itself where it cannot be known: most containers have no time namespace of their own.
 */
export function ourMonotonicUsec(usec: bigint, pids: readonly (number | undefined)[]): bigint {
  for (const pid of pids) {
    const offsetNs = pid === undefined ? undefined : offsetOf(pid)
    if (offsetNs === undefined) continue
    const ours = usec + offsetNs / 1000n
    return ours < 0n || ours > UINT64_MAX ? usec : ours
  }
  debug('MONOTONIC_USEC=%d goes unchanged: its time namespace cannot be looked into', usec)
  return usec
}

const UINT64_MAX = 2n ** 64n - 1n

function offsetOf(pid: number): bigint | undefined {
  try {
    return monotonicOffset(pid)
  } catch (error) {
    debug('the time namespace of pid %d is unknown: %s', pid, (error as Error).message)
    return undefined
  }
}
