import type { ParsedAssignments } from '@sdbridge/notify/relay'
import type { ContainerEvent, ContainerStatus } from '../control/control-message.js'
import type { ProxyCounters } from '../proxy/proxy-counters.js'

/** What a container has said of itself, and what became of it. */
export interface Progress {
  readonly state: Exclude<ContainerStatus['state'], 'ending'>
  readonly status?: string
  readonly readyAt?: number
  readonly pingedAt?: number
  readonly counters: Omit<ProxyCounters, 'waiting'>
}

/** Follows what a container says of itself. */
export class SpokenState {
  state: Progress['state']
  status: string | undefined
  readyAt: number | undefined
  pingedAt: number | undefined

  constructor(before: Progress | undefined) {
    this.state = before?.state ?? 'starting'
    this.status = before?.status
    this.readyAt = before?.readyAt
    this.pingedAt = before?.pingedAt
  }

  /** Returns what has changed, for those who follow. */
  hear(said: ParsedAssignments): Pick<ContainerEvent, 'event' | 'text'> | undefined {
    if (said.watchdog === true) this.pingedAt = Date.now()
    const hasNewStatus = said.status !== undefined && said.status !== this.status
    if (hasNewStatus) this.status = said.status
    const state = stateSaid(said)
    if (state === 'ready') this.readyAt = Date.now()
    if (state !== undefined) this.state = state
    const event = state ?? (hasNewStatus ? 'status' : undefined)
    if (event === undefined) return undefined
    return { event, ...(said.status !== undefined && { text: said.status }) }
  }
}

// In one message, as systemd has it: stopping comes before all, and being ready before reloading.
function stateSaid(said: ParsedAssignments): 'ready' | 'reloading' | 'stopping' | undefined {
  if (said.stopping === true) return 'stopping'
  if (said.ready === true) return 'ready'
  return said.reloading === true ? 'reloading' : undefined
}

/** What was counted before and since. */
export function sumOf(
  before: Progress['counters'] | undefined,
  since: ProxyCounters,
): ProxyCounters {
  if (before === undefined) return since
  return {
    received: before.received + since.received,
    forwarded: before.forwarded + since.forwarded,
    barriers: before.barriers + since.barriers,
    superseded: before.superseded + since.superseded,
    rescued: before.rescued + since.rescued,
    waiting: since.waiting,
    droppedMessages: sumByReason(before.droppedMessages, since.droppedMessages),
    droppedFields: sumByReason(before.droppedFields, since.droppedFields),
  }
}

type Counts = ProxyCounters['droppedFields']

function sumByReason(before: Counts, since: Counts): Counts {
  const sum: Record<string, number> = { ...before }
  for (const [reason, count] of Object.entries(since)) sum[reason] = (sum[reason] ?? 0) + count
  return sum
}
