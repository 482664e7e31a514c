import {
  ASSIGNMENT_RULES,
  EXTRA_KEY,
  RULE_BY_KEY,
  type AssignmentProperty,
} from './assignment-table.js'
import type { ParsedAssignments } from './assignments.js'

/** What the service manager makes of a message: `'rejected' in message` tells the two apart. */
export type ParsedMessage = AcceptedMessage | RejectedMessage

/** A message that the service manager reads. */
export interface AcceptedMessage {
  /** What it would act upon. */
  readonly assignments: ParsedAssignments
  /** All lines, with their escapes removed: a barrier must have no other line beside it. */
  readonly lines: readonly string[]
  /** The lines that mean nothing to the service manager; `X_` lines are also in `extra`. */
  readonly unknown: readonly string[]
  /** The assignments that it ignores, most of them with a warning in its log. */
  readonly problems: readonly MessageProblem[]
}

/** A message that the service manager drops whole. */
export interface RejectedMessage {
  readonly rejected: 'embedded-nul' | 'trailing-backslash'
}

/** Why an assignment was ignored. */
export interface MessageProblem {
  /** The name on the wire. */
  readonly assignment: string
  readonly value: string
  readonly reason: string
}

/**
 * Reads a datagram as the service manager does; it throws for no input at all.
 *
 * Size, sender and descriptors are not its business: whoever receives must drop more than
 * MESSAGE_MAX_BYTES, check `NotifyAccess=`, hold BARRIER=1 to one line with one descriptor, and
 * close the descriptors that no assignment uses.
 */
export function parseMessage(data: Uint8Array): ParsedMessage {
  // As latin1 a string has one character for each byte, and no byte is lost before it is judged.
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1')
  const message = text.endsWith('\0') ? text.slice(0, -1) : text
  if (message.includes('\0')) return { rejected: 'embedded-nul' }
  const lines = splitLines(message)
  if (lines === undefined) return { rejected: 'trailing-backslash' }

  const reading: Reading = { assignments: {}, unknown: [], problems: [], seen: new Set() }
  for (const line of lines) readLine(line, reading)
  judgeTogether(reading)
  const { assignments, unknown, problems } = reading
  return { assignments, lines: lines.map(decode), unknown, problems }
}

interface Reading {
  // Rules and properties meet at run time only; the table's type has paired them.
  readonly assignments: Record<string, unknown> & ParsedAssignments
  readonly unknown: string[]
  readonly problems: MessageProblem[]
  readonly seen: Set<string>
}

// LF and CR both end a line, and empty lines do not count. A backslash goes, and takes its special
// meaning from the next byte: `\\` is a backslash, a line break after one is part of the line.
function splitLines(text: string): string[] | undefined {
  if (!text.includes('\\')) return text.split(/[\r\n]+/).filter((line) => line !== '')
  if (countBackslashesAtEnd(text) % 2 === 1) return undefined
  const lines = text.match(/(?:[^\r\n\\]|\\[^])+/g) ?? []
  return lines.map((line) => line.replace(/\\([^])/g, '$1'))
}

function countBackslashesAtEnd(text: string): number {
  let count = 0
  while (text.at(-1 - count) === '\\') count++
  return count
}

function readLine(line: string, reading: Reading): void {
  const equals = line.indexOf('=')
  const key = line.slice(0, Math.max(equals, 0))
  const text = line.slice(equals + 1)
  const rule = RULE_BY_KEY.get(key)
  const value = rule?.parse(text)
  if (rule === undefined || (rule.exact && value === undefined)) {
    reading.unknown.push(decode(line))
    if (EXTRA_KEY.test(key)) readExtra(key, text, reading)
    return
  }
  // The first line decides, even where it is the wrong one.
  if (reading.seen.has(key)) return
  reading.seen.add(key)
  if (value === undefined) {
    const reason = `expected ${rule.wire}`
    reading.problems.push({ assignment: key, value: decode(text), reason })
  }
  const taken = value ?? rule.instead
  if (taken !== undefined) reading.assignments[rule.property] = taken
}

function readExtra(key: string, text: string, { assignments }: Reading): void {
  assignments.extra ??= Object.create(null) as Record<`X_${string}`, string>
  assignments.extra[key as `X_${string}`] ??= decode(text)
}

// Some assignments count only beside another one.
function judgeTogether(reading: Reading): void {
  const { assignments, problems, seen } = reading

  if (assignments.mainPid !== undefined && problems.some((p) => p.assignment === 'MAINPIDFDID')) {
    drop('mainPid', 'its MAINPIDFDID= is not valid', reading)
  }
  // Removing wins over storing, even where it then fails for want of a name.
  if (assignments.fdStoreRemove) {
    if (assignments.fdStore) drop('fdStore', 'FDSTOREREMOVE=1 is in the same message', reading)
    if (assignments.fdName === undefined) {
      drop('fdStoreRemove', 'there is no valid FDNAME=', reading)
    }
  } else if (assignments.fdStore && assignments.fdName === undefined && seen.has('FDNAME')) {
    assignments.fdName = 'stored'
  }

  for (const [property, ...companions] of COMPANIONS) {
    if (assignments[property] === undefined) continue
    if (companions.some((companion) => assignments[companion] !== undefined)) continue
    const keys = companions.map((companion) => `${ASSIGNMENT_RULES[companion].key}=`)
    drop(property, `it counts only with ${keys.join(' or ')}`, reading)
  }
}

const COMPANIONS: readonly (readonly [AssignmentProperty, ...AssignmentProperty[]])[] = [
  ['monotonicUsec', 'reloading'],
  ['mainPidFdId', 'mainPid'],
  ['fdName', 'fdStore', 'fdStoreRemove'],
  ['fdPoll', 'fdStore'],
]

function drop(property: AssignmentProperty, reason: string, reading: Reading): void {
  const { key, encode } = ASSIGNMENT_RULES[property]
  const value = reading.assignments[property]
  // A name that came with a backslash has no encoding, and is its own text.
  reading.problems.push({ assignment: key, value: encode(value) ?? String(value), reason })
  delete reading.assignments[property]
}

function decode(text: string): string {
  if (!/[\u0080-\u00ff]/.test(text)) return text
  return Buffer.from(text, 'latin1').toString('utf8')
}
