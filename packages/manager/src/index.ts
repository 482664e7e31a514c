/**
 * An embedded service manager for development and tests: one service, as systemd would run it.
 *
 * @module
 */
export { type ActivationSocket } from './activation-sockets.js'
export { ManagerError, type ManagerErrorCode } from './errors.js'
export { Service } from './service.js'
export { type ServiceEvents } from './service-events.js'
export { type ServiceOptions, type SocketOptions } from './service-options.js'
export { type ActiveState, type ServiceResult, type SubState } from './service-state.js'
export { followTimeline } from './timeline.js'
