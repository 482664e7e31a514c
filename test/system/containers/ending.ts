import { expect } from 'vitest'
import type { BridgedService } from './bridged-service.js'

/**
 * A setting by which the unit's own output says how its main process ended: of a unit that has ended well, the service
 * manager forgets that at once.
 */
export const TELLS_ENDING =
  'ExecStopPost=/bin/echo "ended: ${SERVICE_RESULT} ${EXIT_CODE} ${EXIT_STATUS}"'

const LONGEST_WAIT_MS = 30_000

/**
 * Waits until it has ended like that.
 *
 * @param times How often, with all its starts.
 * @param ending As systemd.exec(5) has it of `$SERVICE_RESULT`, `$EXIT_CODE` and `$EXIT_STATUS`: `success exited 0`.
 */
export async function waitForEnding(
  service: BridgedService,
  ending: string,
  times = 1,
): Promise<void> {
  // oxlint-disable-next-line vitest/no-standalone-expect
  await expect
    .poll(() => service.output().split('\n'), { timeout: LONGEST_WAIT_MS })
    .toSatisfy((lines: string[]) => {
      return lines.filter((line) => line === `ended: ${ending}`).length === times
    })
}
