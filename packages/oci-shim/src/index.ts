/**
 * The engine of the container bridge: receives a container's notifications and passes them to the service manager.
 *
 * @module
 */
export { type EngineName } from './engines/launch.js'
export { type Drop, type DropReason, type Sender } from './proxy/drop.js'
export { FIELD_RULES, type FieldRule } from './proxy/field-rules.js'
export { NotifyProxy } from './proxy/notify-proxy.js'
export { type NotifyProxyOptions, type StoreOptions } from './proxy/proxy-options.js'
export { type ProxyCounters } from './proxy/proxy-counters.js'
export { type SenderPolicy } from './proxy/sender-policy.js'
export { nameWithoutPrefix, storedName } from './proxy/stored-name.js'
