import type { EngineCommand } from '../engines/engine-command.js'
import type { Launch } from '../engines/launch.js'
import { BridgeError } from '../run/bridge-error.js'

/**
 * Whether a client can be the main process of a unit: it has to stay for as long as its container.
 *
 * @throws BridgeError that says why not.
 */
export function checkLaunch(
  { engine, verb }: Pick<EngineCommand, 'engine' | 'verb'>,
  { detached }: Pick<Launch, 'detached'>,
): void {
  if (verb === 'create')
    throw refused(
      `${engine} create starts nothing that a unit could be made of: use ${engine} run, or leave --daemon out`,
    )
  if (verb === 'start')
    throw refused(
      `${engine} start starts what was created for a bridge of its own: use ${engine} run, or leave --daemon out`,
    )
  if (detached)
    throw refused(
      `${engine} run --detach: the client is the unit's main process, and would end while the container goes on: leave --detach out`,
    )
}

function refused(why: string): BridgeError {
  return new BridgeError('ERR_BRIDGE_USAGE', `--daemon: ${why}`)
}
