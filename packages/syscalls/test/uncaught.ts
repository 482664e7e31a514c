import { onTestFinished } from 'vitest'

/** Lets the program survive its uncaught exceptions for one test, and keeps them. */
export function catchUncaught(): Error[] {
  const caught: Error[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => caught.push(error))
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  return caught
}
