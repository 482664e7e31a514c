import type { BridgedService } from './bridged-service.js'

/**
 * A setting by which the unit's own output says how its main process ended: of a unit that has ended well, the service
 * manager forgets that at once.
 */
export const TELLS_ENDING =
  'ExecStopPost=/bin/echo "ended: ${SERVICE_RESULT} ${EXIT_CODE} ${EXIT_STATUS}"'

/**
 * Waits until it has ended like that.
 *
 * @param ending As systemd.exec(5) has it of `$SERVICE_RESULT`, `$EXIT_CODE` and `$EXIT_STATUS`: `success exited 0`.
 */
export async function waitForEnding(service: BridgedService, ending: string): Promise<void> {
  await service.waitForOutput(`ended: ${ending}\n`)
}
