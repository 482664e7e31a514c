/**
 * Makes an error of a callback what it would be if nothing of ours had called it: an `'uncaughtException'`, which does
 * not keep other callbacks from being called.
 */
export function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
