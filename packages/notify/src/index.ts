/**
 * sd_notify(3) for Node: tell the service manager that the service is ready, alive, reloading, stopping.
 *
 * @module
 */
export { type NotifyAddress } from './address.js'
export { type Assignments } from './assignments.js'
export { barrier, type BarrierOptions, type BarrierOutcome } from './barrier.js'
export { booted } from './booted.js'
export { type DescriptorSource } from './descriptor-of.js'
export {
  removeFds,
  type RemoveFdsOptions,
  storeFds,
  type StoreFdsOptions,
} from './descriptor-store.js'
export { NotifyError, type NotifyErrorCode, type NotifyErrorData } from './errors.js'
export {
  type Answer,
  type Lifecycle,
  lifecycle,
  type LifecycleOptions,
  type StopSignal,
} from './lifecycle.js'
export {
  type CommonOptions,
  notify,
  type NotifyOptions,
  notifySync,
  type NotifySyncOptions,
} from './notify.js'
export { extendTimeout, ready, reloading, status, stopping } from './service-states.js'
export { systemdNotify } from './systemd-notify.js'
export { type Outgoing, type Outlet, type Transport } from './transport.js'
export { watchdog, type Watchdog, type WatchdogOptions } from './watchdog.js'
export { watchdogInterval, type WatchdogIntervalOptions } from './watchdog-interval.js'
