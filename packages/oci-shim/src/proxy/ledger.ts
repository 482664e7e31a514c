import { callBack } from '@sdbridge/notify/relay'
import type { ReceivedMessage } from '@sdbridge/syscalls'
import createDebug from 'debug'
import type { Drop, DropReason } from './drop.js'
import type { ProxyCounters } from './proxy-counters.js'

/** Tells why something of a message does not go on; without a field, the whole message. */
export type Report = (reason: DropReason, text: string, field?: string) => void

const debug = createDebug('sdbridge:proxy:dropped')

/** Of one message, so many fields are told of; a hostile one can have tens of thousands. */
const MOST_FIELDS_TOLD = 16

/** Counts what becomes of messages, and tells of what is dropped. */
export class Ledger {
  received = 0
  forwarded = 0
  barriers = 0
  superseded = 0
  rescued = 0
  readonly #messages: Partial<Record<DropReason, number>> = {}
  readonly #fields: Partial<Record<DropReason, number>> = {}
  readonly #onDropped: ((drop: Drop) => void) | undefined

  constructor(onDropped: ((drop: Drop) => void) | undefined) {
    this.#onDropped = onDropped
  }

  counters(waiting: number): ProxyCounters {
    const { barriers, forwarded, received, rescued, superseded } = this
    return {
      ...{ received, forwarded, barriers, superseded, rescued, waiting },
      droppedMessages: { ...this.#messages },
      droppedFields: { ...this.#fields },
    }
  }

  /** What tells of one message. */
  reporter({ fullLength, sender }: Pick<ReceivedMessage, 'fullLength' | 'sender'>): Report {
    let fields = 0
    return (reason, text, field) => {
      const counts = field === undefined ? this.#messages : this.#fields
      counts[reason] = (counts[reason] ?? 0) + 1
      if (field !== undefined && ++fields > MOST_FIELDS_TOLD) return
      this.#tell({
        ...{ reason, text, bytes: fullLength },
        ...(field !== undefined && { field }),
        ...(sender !== undefined && { sender }),
      })
    }
  }

  #tell(drop: Drop): void {
    if (debug.enabled) {
      const { bytes, field = 'a message', reason, sender, text } = drop
      debug('%s of %d bytes from pid %s, %s: %s', field, bytes, sender?.pid ?? '?', reason, text)
    }
    callBack(this.#onDropped, drop)
  }
}
