/**
 * Why a container engine's command line cannot be bridged. Codes are stable within a major version, messages are not.
 *
 * - `ERR_ENGINE_VERB`: what the engine is told to do starts no container that a bridge could follow.
 * - `ERR_ENGINE_OPTION`: an option of the command line goes against what a unit or the bridge needs.
 * - `ERR_ENGINE_OPERAND`: no image or container is named, or several are.
 * - `ERR_ENGINE_BUNDLE`: a bundle's `config.json` cannot be read or used.
 * - `ERR_ENGINE_NOT_PREPARED`: the container to start was not created by `sdbridge run`.
 * - `ERR_ENGINE_UNREACHABLE`: the engine does not answer, or says something else than it was asked. The command may be right.
 */
export type EngineErrorCode =
  | 'ERR_ENGINE_VERB'
  | 'ERR_ENGINE_OPTION'
  | 'ERR_ENGINE_OPERAND'
  | 'ERR_ENGINE_BUNDLE'
  | 'ERR_ENGINE_NOT_PREPARED'
  | 'ERR_ENGINE_UNREACHABLE'

/** A command that is refused. Its message is one line, for the one who wrote the command: what was found, and what to do. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: EngineErrorCode

  constructor(code: EngineErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
