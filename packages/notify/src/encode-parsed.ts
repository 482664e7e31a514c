import { RULE_BY_PROPERTY } from './assignment-table.js'
import type { ParsedAssignments } from './assignments.js'
import { NotifyError } from './errors.js'

/**
 * Makes the datagram that a service manager reads as exactly these assignments: `parseMessage` of it gives them back, one line for
 * each, in their order.
 *
 * `encodeMessage()` is for what a program wants to say, and makes values fit. This is for what was read already and is passed on:
 * where the sender had escaped a backslash or a line break, it is escaped again. (Managers before 247 show such backslashes.) Nothing
 * is shortened, and what counts only beside another assignment is not looked after.
 *
 * @throws NotifyError `ERR_NOTIFY_VALUE_INVALID` for a value that no message can have been read as.
 */
export function encodeParsed(assignments: ParsedAssignments): Buffer {
  const lines: string[] = []
  for (const [property, value] of Object.entries(assignments) as [string, unknown][]) {
    if (value === undefined) continue
    if (property !== 'extra') lines.push(encodeOne(property, value))
    else lines.push(...Object.entries(value as object).map(([key, text]) => line(key, text)))
  }
  return Buffer.from(lines.join('\n'))
}

function encodeOne(property: string, value: unknown): string {
  const rule = RULE_BY_PROPERTY.get(property)
  // What the rule would encode may be less than what it reads: a name may come with backslashes.
  const text = typeof value === 'string' ? value : rule?.encode(value)
  if (rule === undefined || text === undefined || rule.parse(bytesOf(text)) === undefined) {
    const message = `"${property}" of ${String(value)} cannot have been read from a message`
    throw new NotifyError('ERR_NOTIFY_VALUE_INVALID', message, { value })
  }
  return line(rule.key, text)
}

// A receiver takes one level of backslashes off, and splits where there is none before a line break.
function line(key: string, value: string): string {
  return `${key}=${value.replace(/[\\\r\n]/g, '\\$&')}`
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}
