/** CLOCK_MONOTONIC in µs, as the service manager reads it. */
export function monotonicUsec(): bigint {
  return process.hrtime.bigint() / 1000n
}
