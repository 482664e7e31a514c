import { EXTRA_KEY, RULE_BY_PROPERTY } from './assignment-table.js'
import type { Assignments } from './assignments.js'
import { checkCombination } from './combination.js'
import { describe, invalidArgType, invalidArgValue, NotifyError } from './errors.js'
import { ELLIPSIS_BYTES, shortenStatus } from './status-text.js'

/** What the service manager reads of a message (PIPE_BUF); a longer one it ignores whole. */
export const MESSAGE_MAX_BYTES = 4096

/**
 * Makes the datagram for sd_notify(3): one `KEY=value` line for each property, in their order.
 *
 * Whatever the values hold, no line says anything but its own assignment. A status that does not
 * fit is shortened, nothing else ever is. Throws NotifyError ERR_NOTIFY_VALUE_INVALID or
 * ERR_NOTIFY_MESSAGE_TOO_LONG, and a TypeError for wrong argument types.
 *
 * @param fdCount how many descriptors go with the message, to refuse what the service manager would
 */
export function encodeMessage(assignments: Assignments, fdCount: number): Buffer {
  if (typeof assignments !== 'object' || assignments === null) {
    throw invalidArgType('assignments', 'an object', assignments)
  }

  const lines = encodeLines(assignments)
  checkCombination(lines, fdCount)

  const message = joinLines(lines)
  const excess = message.length - MESSAGE_MAX_BYTES
  if (excess <= 0) return message

  const status = lines.get('STATUS')?.slice('STATUS='.length) ?? ''
  const room = Buffer.byteLength(status) - excess
  if (room < ELLIPSIS_BYTES) throw messageTooLong(message.length)
  lines.set('STATUS', `STATUS=${shortenStatus(status, room)}`)
  return joinLines(lines)
}

// By the name on the wire; a map keeps its order, also when the status is replaced.
function encodeLines(assignments: Assignments): Map<string, string> {
  const lines = new Map<string, string>()
  for (const [property, value] of Object.entries(assignments) as [string, unknown][]) {
    if (value === undefined) continue
    if (property === 'extra') encodeExtra(value, lines)
    else encodeAssignment(property, value, lines)
  }
  return lines
}

function encodeAssignment(property: string, value: unknown, lines: Map<string, string>): void {
  const rule = RULE_BY_PROPERTY.get(property)
  if (rule === undefined) throw unknownProperty(property)
  if (value === null || !rule.types.includes(typeof value)) {
    throw invalidArgType(property, rule.accepts, value)
  }
  const text = rule.encode(value)
  if (text === undefined) {
    if (rule.closed) throw invalidArgValue(property, rule.accepts, value)
    throw invalidValue(rule.key, property, rule.accepts, value)
  }
  lines.set(rule.key, `${rule.key}=${text}`)
}

function encodeExtra(extra: unknown, lines: Map<string, string>): void {
  if (typeof extra !== 'object' || extra === null) {
    throw invalidArgType('extra', 'an object of X_ assignments', extra)
  }
  for (const [key, value] of Object.entries(extra) as [string, unknown][]) {
    if (value === undefined) continue
    if (!EXTRA_KEY.test(key)) {
      throw invalidValue(
        key,
        'extra',
        'an object with keys of X_ and letters, digits, underscores',
        key,
      )
    }
    if (typeof value !== 'string') throw invalidArgType(`extra.${key}`, 'a string', value)
    if (UNFIT_FOR_EXTRA.test(value)) {
      throw invalidValue(
        key,
        `extra.${key}`,
        'a string without NUL, line breaks and lone surrogates',
        value,
      )
    }
    // A receiver takes one level of backslashes off. The value is for a program, to which it must
    // come as it is, so they are doubled here and not replaced as in a status.
    lines.set(key, `${key}=${value.replaceAll('\\', '\\\\')}`)
  }
}

// A lone surrogate has no UTF-8 form; it would arrive as another character.
const UNFIT_FOR_EXTRA = /[\0\r\n\p{Cs}]/u

// No line break at the end: BARRIER=1 must be its nine bytes, and one would only serve a message
// that ends in a backslash, which is thus kept from being dropped whole. None of ours does: no
// grammar but that of extra lets a backslash through, and there they come in pairs.
function joinLines(lines: ReadonlyMap<string, string>): Buffer {
  return Buffer.from([...lines.values()].join('\n'))
}

function unknownProperty(property: string): TypeError {
  const known = [...RULE_BY_PROPERTY.keys(), 'extra'].join(', ')
  const message = `${describe(property)} is no assignment; there are ${known}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}

function invalidValue(assignment: string, name: string, accepts: string, value: unknown): Error {
  const message = `"${name}" must be ${accepts}, received ${describe(value)}`
  return new NotifyError('ERR_NOTIFY_VALUE_INVALID', message, { assignment, value })
}

function messageTooLong(bytes: number): Error {
  const message =
    `the message has ${bytes} bytes, and no status to shorten that would make it fit; ` +
    `the service manager ignores what is longer than ${MESSAGE_MAX_BYTES}`
  return new NotifyError('ERR_NOTIFY_MESSAGE_TOO_LONG', message, { value: bytes })
}
