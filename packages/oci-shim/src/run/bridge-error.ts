/** Why `sdbridge run` gives up. */
export type BridgeErrorCode =
  'ERR_BRIDGE_USAGE' | 'ERR_BRIDGE_FAILED' | 'ERR_BRIDGE_NOT_EXECUTABLE' | 'ERR_BRIDGE_NOT_FOUND'

/** The exit codes that env(1), podman and docker have for the same. */
const EXIT_CODES: Record<BridgeErrorCode, number> = {
  ERR_BRIDGE_USAGE: 2,
  ERR_BRIDGE_FAILED: 125,
  ERR_BRIDGE_NOT_EXECUTABLE: 126,
  ERR_BRIDGE_NOT_FOUND: 127,
}

/** What an operator can put right: one line that says what was expected, what was found and what to do. */
export class BridgeError extends Error {
  readonly code: BridgeErrorCode

  constructor(code: BridgeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BridgeError'
    this.code = code
  }

  get exitCode(): number {
    return EXIT_CODES[this.code]
  }
}
