import {
  ELLIPSIS_BYTES,
  encodeParsed,
  MESSAGE_MAX_BYTES,
  type ParsedAssignments,
  shortenStatus,
  wireKey,
} from '@sdbridge/notify/relay'
import type { Report } from './ledger.js'

/**
 * Makes a message of at most the 4096 bytes that the service manager reads. Where it would be longer, the `X_` fields go, the last
 * first; then the status is shortened, and then the names of errors go. All others together are far shorter than that.
 *
 * @param assignments Left as what the message says.
 */
export function fitMessage(assignments: ParsedAssignments, report: Report): Buffer {
  const message = encodeParsed(assignments)
  let excess = message.length - MESSAGE_MAX_BYTES
  if (excess <= 0) return message

  const { extra } = assignments
  if (extra !== undefined) {
    for (const key of Object.keys(extra).toReversed() as `X_${string}`[]) {
      if (excess <= 0) break
      excess -= encodeParsed({ extra: { [key]: extra[key]! } }).length + LINE_BREAK_BYTES
      delete extra[key]
      report('too-long', TOO_LONG, key)
    }
    if (Object.keys(extra).length === 0) delete assignments.extra
  }
  for (const property of ['status', 'busError', 'varlinkError'] as const) {
    const value = assignments[property]
    if (excess <= 0 || value === undefined) continue
    const before = encodeParsed({ [property]: value }).length
    const room = Buffer.byteLength(value) - excess
    if (property === 'status' && room >= ELLIPSIS_BYTES) {
      assignments.status = shortenStatus(value, room)
      break
    }
    delete assignments[property]
    report('too-long', TOO_LONG, wireKey(property))
    excess -= before + LINE_BREAK_BYTES
  }
  return encodeParsed(assignments)
}

const LINE_BREAK_BYTES = 1
const TOO_LONG = `with it, the message would be longer than the ${MESSAGE_MAX_BYTES} bytes that systemd reads`
