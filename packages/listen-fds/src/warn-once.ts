const given = new Set<string>()

/** What this package warns of; a program can look at the warning's `code` (process.on('warning')). */
export type ListenFdsWarningCode = 'LISTEN_FDS_LAUNCHER' | 'LISTEN_FDS_NO_SUCH_NAME'

/**
 * Tells the operator of something that is no error of a call: a warning of the process, which Node prints to stderr, and so
 * into the journal, unless it is told not to. Each is given once.
 */
export function warnOnce(code: ListenFdsWarningCode, message: string): void {
  if (given.has(message)) return
  given.add(message)
  process.emitWarning(message, { type: 'ListenFdsWarning', code })
}
