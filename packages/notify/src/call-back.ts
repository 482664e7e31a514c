/**
 * Calls a function that the user gave. What it throws becomes an `'uncaughtException'`, as from any listener, and does not keep the
 * caller from going on with its own work.
 */
export function callBack<Argument>(
  callback: ((argument: Argument) => void) | undefined,
  argument: Argument,
): void {
  try {
    callback?.(argument)
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}
