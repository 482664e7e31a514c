/**
 * Why something did not go to the service manager. Of a whole message:
 * - `no-manager`: there is none
 * - `no-sender`: the kernel did not say who sent it, or the sender is in no process table of ours
 * - `sender-refused`: `senders` does not allow it
 * - `embedded-nul`, `trailing-backslash`: systemd would drop it whole, too
 * - `barrier-not-alone`: `BARRIER=1` beside other lines, or not with exactly one descriptor; systemd would drop it whole, too
 * - `barrier-given-up`: whoever waited for the barrier has gone while the service manager was away
 * - `nothing-left`: each of its fields was dropped, for its own reason
 * - `unit-ended`: the unit's main process, in whose name the daemon sends, has ended
 * - `send-failed`: the service manager's socket cannot take it, now or ever
 * - `failed`: something unforeseen, which the text tells
 *
 * Of one field, while the rest goes on:
 * - `not-allowed`: no option allows it
 * - `unknown`: systemd has no such field, and it is no `X_` key
 * - `invalid`: systemd would ignore it, for its value, or for want of another field
 * - `duplicate`: systemd would read an earlier line with the same key
 * - `too-long`: it does not fit into the 4096 bytes that systemd reads
 * - `incomplete`: the message was longer than the bridge takes, and cut off within this line
 * - `no-store`, `store-full`, `name-too-long`: the descriptor store
 * - `no-descriptor`: it needs a descriptor, or exactly one, and that did not come with it
 * - `not-pollable`: a descriptor for the store that the service manager could not watch
 * - `descriptors-lost`: descriptors came with it that did not arrive whole
 * - `descriptors-unused`: descriptors came that no field uses; they are closed
 * - `descriptors-refused`: the service manager's socket takes none
 * - `no-process`, `not-a-pidfd`, `not-in-container`, `namespace-unreadable`, `pidfd-id-mismatch`: the main process
 */
export type DropReason =
  | 'no-manager'
  | 'no-sender'
  | 'sender-refused'
  | 'embedded-nul'
  | 'trailing-backslash'
  | 'barrier-not-alone'
  | 'barrier-given-up'
  | 'nothing-left'
  | 'unit-ended'
  | 'send-failed'
  | 'failed'
  | 'not-allowed'
  | 'unknown'
  | 'invalid'
  | 'duplicate'
  | 'too-long'
  | 'incomplete'
  | 'no-store'
  | 'store-full'
  | 'name-too-long'
  | 'no-descriptor'
  | 'not-pollable'
  | 'descriptors-lost'
  | 'descriptors-unused'
  | 'descriptors-refused'
  | 'no-process'
  | 'not-a-pidfd'
  | 'not-in-container'
  | 'namespace-unreadable'
  | 'pidfd-id-mismatch'

/** A message, or one field of a message, that did not go to the service manager. Its descriptors are closed. */
export interface Drop {
  reason: DropReason
  /** For a person: why, and what can be done about it. */
  text: string
  /** The field's name on the wire, such as `MAINPID`, or `descriptors`; absent if it is the whole message. */
  field?: string
  /** By the kernel's word and in our namespaces; absent if the kernel did not say. */
  sender?: Sender
  /** The length of the message as it was sent. */
  bytes: number
}

/** The sending process. */
export interface Sender {
  pid: number
  uid: number
  gid: number
}
