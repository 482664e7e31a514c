/**
 * sd_notify(3) for Node: tell the service manager that the service is ready, alive, reloading, stopping.
 *
 * @module
 */
export { type Assignments } from './assignments.js'
export { NotifyError, type NotifyErrorCode, type NotifyErrorData } from './errors.js'
export { notify, type NotifyOptions } from './notify.js'
export { ready, reloading, status, stopping } from './service-states.js'
export { watchdog, watchdogInterval, type Watchdog, type WatchdogOptions } from './watchdog.js'
