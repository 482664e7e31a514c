import { type ParsedAssignments, parseMessage } from '@sdbridge/notify/relay'
import type { Arrival } from './arrival.js'
import { fitMessage } from './fit-message.js'
import { isAllowed, type SenderPolicy } from './sender-policy.js'
import { translate, type TranslationRules } from './translation.js'
import { type WholeLines, wholeLines } from './whole-lines.js'

export interface ReadingRules extends TranslationRules {
  readonly senders: SenderPolicy
}

/** A barrier, whose one descriptor is in the arrival; or what the service manager may be told, with the descriptors that are left in the arrival. */
export type Reading = 'barrier' | FittedMessage

/** What the service manager may be told, and the bytes that say it. */
export interface FittedMessage {
  readonly assignments: ParsedAssignments
  readonly data: Buffer
}

/**
 * Reads a payload's message, checks it and translates it. What does not go on is reported.
 *
 * @returns `undefined` if nothing of it goes on.
 */
export function readArrival(arrival: Arrival, rules: ReadingRules): Reading | undefined {
  const { datagram, fds, report } = arrival
  const { sender } = datagram
  const { data: whole, lost }: WholeLines = datagram.truncated
    ? wholeLines(datagram.data)
    : { data: datagram.data }
  const message = parseMessage(whole)
  if ('rejected' in message) {
    report(message.rejected, REJECTIONS[message.rejected])
    return undefined
  }
  if (message.assignments.barrier) return readBarrier(arrival, message.lines.length)
  if (sender === undefined || sender.pid <= 0) {
    report('no-sender', 'the kernel does not name the sender, or it is not visible here')
    return undefined
  }
  if (!isAllowed(sender, rules.senders, rules.init())) {
    const text = `pid ${sender.pid} of user ${sender.uid} is not among the senders: ${String(rules.senders)}`
    report('sender-refused', text)
    return undefined
  }
  if (lost !== undefined) {
    report('incomplete', `the message was cut off after ${datagram.data.length} bytes`, lost)
  }
  const saidSomething = message.lines.length > 0 || fds.count > 0
  const assignments = translate(message, arrival, rules)
  const data = fitMessage(assignments, report)
  if (data.length > 0) return { assignments, data }
  if (saidSomething) report('nothing-left', 'nothing of it is for the service manager')
  return undefined
}

function readBarrier({ datagram, fds, report }: Arrival, lineCount: number): 'barrier' | undefined {
  // Of a message that did not arrive whole, nobody knows whether it was one.
  const isWhole = !datagram.truncated && !datagram.controlTruncated
  if (lineCount === 1 && fds.count === 1 && isWhole) return 'barrier'
  const text = `it came with ${lineCount - 1} other line(s) and ${fds.count} descriptor(s)`
  report('barrier-not-alone', `${text}; BARRIER=1 must be alone, with exactly one`)
  return undefined
}

const REJECTIONS = {
  'embedded-nul': 'it has a NUL before its end; systemd would drop it, too',
  'trailing-backslash': 'it ends in a backslash that escapes nothing; systemd would drop it, too',
} as const
