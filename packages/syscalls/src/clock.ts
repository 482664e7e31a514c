import { native } from './native.js'
import { check } from './system-error.js'

/**
 * Microseconds on CLOCK_MONOTONIC (clock_gettime(2)), the clock of systemd's `MONOTONIC_USEC=`: it never goes back, and all
 * processes of a time namespace read the same one. `process.hrtime` reads it too, but not on every runtime.
 */
export function monotonicUsec(): bigint {
  return BigInt(check(native().monotonicUsec(), 'clock_gettime'))
}
