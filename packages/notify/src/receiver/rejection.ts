import type { Sender } from './notification.js'

/**
 * Why a datagram was thrown away whole, as systemd does:
 * - `payload-truncated`: longer than 4096 bytes
 * - `control-truncated`: its descriptors or credentials did not arrive whole
 * - `no-sender`: the kernel did not say who sent it, or the sender is in no process table of ours
 * - `embedded-nul`: a NUL byte before the last one
 * - `trailing-backslash`: its last line ends in an escape without anything to escape
 * - `barrier-not-alone`: `BARRIER=1` beside other assignments, or not with exactly one descriptor
 */
export type RejectionReason =
  | 'payload-truncated'
  | 'control-truncated'
  | 'no-sender'
  | 'embedded-nul'
  | 'trailing-backslash'
  | 'barrier-not-alone'

/** A datagram that was thrown away; its descriptors are closed already. */
export interface Rejection {
  reason: RejectionReason
  /** The payload, as far as it was received. */
  data: Buffer
  sender?: Sender
}
