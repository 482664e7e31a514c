import { appendFileSync, writeSync } from 'node:fs'
import type { RuntimeCall } from './runtime-call.js'

/**
 * Tells an engine why a container is not made, as its low-level runtime would: in the file that the engine reads, in its format, and on
 * standard error.
 */
export function tellRuntimeError(
  { log, logsJson }: Pick<RuntimeCall, 'log' | 'logsJson'>,
  message: string,
): void {
  const msg = `sdbridge: ${message.replaceAll(/\s*\n\s*/g, ' ')}`
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const text = `time=${JSON.stringify(time)} level=error msg=${JSON.stringify(msg)}\n`
  const line = logsJson ? `${JSON.stringify({ level: 'error', msg, time })}\n` : text
  attempt(() => writeSync(2, text))
  const file = log?.replace(/^file:/, '')
  // crun logs to the journal, too, where no engine looks for it.
  if (file && !/^(?:journald|syslog):/.test(file)) attempt(() => appendFileSync(file, line))
}

// Whatever goes wrong here, the exit status says that there is no container.
function attempt(action: () => void): void {
  try {
    action()
  } catch {
    // Nobody reads it.
  }
}
