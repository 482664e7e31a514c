import { writeSync } from 'node:fs'

/**
 * Tells the operator something, in one line of standard error, which is the journal's. Not by `process.stderr`: that makes the stream
 * non-blocking for the container too, which shares it.
 */
export function tell(message: string): void {
  const line = `sdbridge: ${message.replaceAll(/\s*\n\s*/g, ' ')}\n`
  try {
    writeSync(2, line)
  } catch {
    // Nobody reads it, or not now. That is no reason to end a container.
  }
}
