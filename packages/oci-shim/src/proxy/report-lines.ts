import { type AcceptedMessage, EXTRA_KEY } from '@sdbridge/notify/relay'
import type { Report } from './ledger.js'

/** Tells of each line that the service manager would not act upon: these do not go on. */
export function reportLines(message: AcceptedMessage, report: Report): void {
  for (const { assignment, reason } of message.problems) report('invalid', reason, assignment)

  const seen = new Set<string>()
  let unknown = 0
  for (const line of message.lines) {
    const isUnknown = line === message.unknown[unknown]
    if (isUnknown) unknown++
    const equals = line.indexOf('=')
    const key = equals === -1 ? line : line.slice(0, equals)
    if (isUnknown && (equals === -1 || !EXTRA_KEY.test(key))) {
      report('unknown', `systemd has no field ${preview(line)}`, preview(key))
    } else if (seen.has(key)) {
      report('duplicate', 'systemd reads the first line of a key only', key)
    } else seen.add(key)
  }
}

const LONGEST_PREVIEW = 64

function preview(text: string): string {
  return text.length > LONGEST_PREVIEW ? `${text.slice(0, LONGEST_PREVIEW - 1)}…` : text
}
