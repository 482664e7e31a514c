/**
 * The parts of sd_notify(3) for programs that pass notifications on, as the bridge for containers does: the grammar in both directions,
 * and the way to a service manager.
 *
 * @module
 */
export { type NotifyAddress, parseNotifyAddress } from './address.js'
export { type AssignmentProperty, EXTRA_KEY, wireKey } from './assignment-table.js'
export { type ParsedAssignments } from './assignments.js'
export { callBack } from './call-back.js'
export { encodeParsed } from './encode-parsed.js'
export { MESSAGE_MAX_BYTES } from './encode-message.js'
export {
  type AcceptedMessage,
  type MessageProblem,
  type ParsedMessage,
  parseMessage,
  type RejectedMessage,
} from './parse-message.js'
export { ELLIPSIS_BYTES, shortenStatus, withoutControls } from './status-text.js'
export { type Outgoing, type Outlet } from './transport.js'
export { openUnix, type UnixAddress, type UnixOutlet } from './unix-outlet.js'
