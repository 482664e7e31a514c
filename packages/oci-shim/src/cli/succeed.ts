import { BridgeError } from '../run/bridge-error.js'
import { tell } from '../run/operator-log.js'

/** Does what a subcommand is for. @returns The exit code: 0, or that of what has been thrown, which is told. */
export async function succeed(action: () => void | Promise<void>): Promise<number> {
  try {
    await action()
    return 0
  } catch (error) {
    tell((error as Error).message)
    return error instanceof BridgeError ? error.exitCode : 125
  }
}
