import type { ReceivedMessage } from '@sdbridge/syscalls'
import type { ReceivedFds } from './received-fds.js'
import type { Report } from './ledger.js'

/** A message of a payload, and what is left of it to deal with. */
export interface Arrival {
  readonly datagram: ReceivedMessage
  readonly fds: ReceivedFds
  readonly report: Report
}
