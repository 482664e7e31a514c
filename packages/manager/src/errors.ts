/**
 * Why something could not be done:
 * - `ERR_MANAGER_INVALID_OPTION`: an option has a value that no unit file could have either
 * - `ERR_MANAGER_START_FAILED`: the service ended, or was ended, before it was ready
 * - `ERR_MANAGER_RELOAD_FAILED`: the service did not report the end of its reload in time
 * - `ERR_MANAGER_WRONG_STATE`: the service is not in a state in which that is possible
 */
export type ManagerErrorCode =
  | 'ERR_MANAGER_INVALID_OPTION'
  | 'ERR_MANAGER_START_FAILED'
  | 'ERR_MANAGER_RELOAD_FAILED'
  | 'ERR_MANAGER_WRONG_STATE'

/** A failure of the embedded manager or of its service. Codes are stable within a major, messages are not. */
export class ManagerError extends Error {
  override readonly name = 'ManagerError'
  readonly code: ManagerErrorCode

  constructor(code: ManagerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
