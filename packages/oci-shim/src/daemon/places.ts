import { join } from 'node:path'

/** Where things of the daemon's are. Each has one place on a host: hooks and containers' configurations name it. */
export interface Places {
  /** What is mounted into containers, a directory for each: it stays, as what mounts it may be started at any time. */
  readonly notifyBase: string
  /** What is gone after a boot, as the containers are: registrations, and the sockets of the daemon itself. */
  readonly runtime: string
  /** The units that may be spoken for. */
  readonly allowList: string
  /** Where Prometheus' text is served: not among what is root's alone, so that an exporter may be let in. */
  readonly metrics: string
}

/** Those of this host. `StateDirectory=` and `RuntimeDirectory=` of the daemon's unit say the same. */
export const PLACES: Places = {
  notifyBase: '/var/lib/sdbridge-daemon/notify',
  runtime: '/run/sdbridge-daemon',
  allowList: '/etc/sdbridge/units',
  metrics: '/run/sdbridge-metrics.sock',
}

/**
 * The directory that a container sees. Its socket's path must fit into an address, by which it is known again.
 *
 * @param name As `isContainerName()` has it.
 */
export function notifyDirectoryOf(name: string, { notifyBase }: Places = PLACES): string {
  return join(notifyBase, name)
}

export function notifySocketOf(name: string, places: Places = PLACES): string {
  return join(notifyDirectoryOf(name, places), 'notify.sock')
}

/** Where commands and events go. */
export function controlSocketOf({ runtime }: Places = PLACES): string {
  return join(runtime, 'control.sock')
}

/** Where runtimes ask for descriptors. */
export function descriptorSocketOf({ runtime }: Places = PLACES): string {
  return join(runtime, 'descriptors.sock')
}
