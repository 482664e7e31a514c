/** systemd's DefaultTimeoutStopSec=. */
const USUAL_TIMEOUT_SEC = 90
/** Engines count in seconds, podman in 32 bits of them: a month is for ever. */
export const FOR_EVER_SEC: number = 30 * 86_400

/**
 * How long a container may take to stop before it is killed, so that the bridge itself can end within the unit's
 * TimeoutStopSec=: what is left of it is for the engine and for what the container has said at the end.
 */
export function stopGraceSec(timeoutStopSec: number = USUAL_TIMEOUT_SEC): number {
  if (timeoutStopSec === Infinity) return FOR_EVER_SEC
  const margin = Math.min(10, timeoutStopSec / 4)
  return Math.max(1, Math.floor(timeoutStopSec - margin))
}
