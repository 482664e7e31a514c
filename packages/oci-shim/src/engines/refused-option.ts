import type { EngineCommand } from './engine-command.js'
import { EngineError } from './engine-error.js'

/** The refusal of an option that goes against what a unit or the bridge needs. */
export function refusedOption(command: EngineCommand, found: string, advice: string): EngineError {
  return new EngineError(
    'ERR_ENGINE_OPTION',
    `${command.engine} ${command.verb}: ${found}: ${advice}`,
  )
}
