const given = new Set<string>()
/** Texts may differ without end: pids, times. */
const MOST_REMEMBERED = 1000

/**
 * Tells the operator of something that is no error of a call, or whose call nobody waits for: a warning of the process, which
 * Node prints to stderr, and so into the journal, unless it is told not to. The same text is given once.
 */
export function warnOnce(code: string, message: string): void {
  const key = `${code} ${message}`
  if (given.has(key)) return
  if (given.size >= MOST_REMEMBERED) given.clear()
  given.add(key)
  process.emitWarning(message, { type: 'NotifyWarning', code })
}
