import type { DropReason } from './drop.js'

/** What became of a container's messages so far. */
export interface ProxyCounters {
  /** Messages that came. */
  readonly received: number
  /** Messages that went to the service manager, barriers among them. */
  readonly forwarded: number
  /** Barriers that went to the service manager. */
  readonly barriers: number
  /** Lone pings and statuses that gave way to a later one while they waited. */
  readonly superseded: number
  /** Messages longer than 4096 bytes of which something could be forwarded; systemd would have dropped them whole. */
  readonly rescued: number
  /** Messages that wait for the service manager now. */
  readonly waiting: number
  /** Dropped messages, by reason. */
  readonly droppedMessages: Readonly<Partial<Record<DropReason, number>>>
  /** Dropped fields of messages, by reason. */
  readonly droppedFields: Readonly<Partial<Record<DropReason, number>>>
}

/** A few lines for a person. */
export function summarize(counters: ProxyCounters): string {
  const { barriers, forwarded, received, rescued, superseded, waiting } = counters
  const lines = [
    `${received} notifications received, ${forwarded} forwarded (${barriers} barriers), ${superseded} superseded by later ones, ${waiting} waiting`,
  ]
  if (rescued > 0) lines.push(`${rescued} were longer than systemd reads, and were shortened`)
  const messages = listed(counters.droppedMessages)
  if (messages !== '') lines.push(`dropped notifications: ${messages}`)
  const fields = listed(counters.droppedFields)
  if (fields !== '') lines.push(`dropped fields: ${fields}`)
  return lines.join('\n')
}

function listed(counts: ProxyCounters['droppedFields']): string {
  return Object.entries(counts)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ')
}
