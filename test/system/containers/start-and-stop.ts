import type { BridgedService } from './bridged-service.js'
import { waitForEnding } from './ending.js'

/**
 * Starts a service as if nothing had been, and stops it. It needs `TELLS_ENDING`.
 *
 * @param endings How often it has ended well then.
 */
export async function startAndStop(service: BridgedService, endings = 1): Promise<void> {
  const payload = await service.startReady()
  await payload.send('STATUS=back again')
  await service.waitFor({ StatusText: 'back again' })
  await service.systemctl('stop')
  await payload.ended
  await waitForEnding(service, 'success exited 0', endings)
}
