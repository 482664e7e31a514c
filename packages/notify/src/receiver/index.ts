/**
 * The service manager's side of sd_notify(3): receive what services send, as systemd would understand it.
 *
 * @module
 */
export { type ParsedAssignments } from '../assignments.js'
export { type MessageProblem } from '../parse-message.js'
export { type Notification, type Sender } from './notification.js'
export { NotifyReceiver, type ReceiverOptions } from './notify-receiver.js'
export { type Rejection, type RejectionReason } from './rejection.js'
