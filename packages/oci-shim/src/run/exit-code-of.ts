import { EngineError } from '../engines/engine-error.js'
import { BridgeError } from './bridge-error.js'

/** What the command line documents: a mistake in it is 2, all else that the bridge itself cannot do is 125. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof BridgeError) return error.exitCode
  const isMistake = error instanceof EngineError && error.code !== 'ERR_ENGINE_UNREACHABLE'
  return isMistake ? 2 : 125
}
