import type { ParsedAssignments } from '@sdbridge/notify/receiver'
import type { ActivationSocket } from './activation-sockets.js'
import type { SubState } from './service-state.js'

/** What a {@link Service} tells: enough for a readable timeline. */
export interface ServiceEvents {
  /** The state changed. */
  state: [state: SubState, previous: SubState]
  /** Something arrived at a socket while the service was not running, which starts it. */
  activation: [socket: ActivationSocket]
  /** The main process was started. */
  spawn: [pid: number]
  /** A message that `NotifyAccess=` admits. */
  notification: [assignments: ParsedAssignments]
  /** A message, or a part of one, that was ignored, and why. */
  refused: [reason: string]
  /** The service is sent a signal. */
  signal: [signal: NodeJS.Signals, reason: string]
  /** The main process has ended. */
  exit: [code: number | null, signal: NodeJS.Signals | null]
}

/** Tells an event of a service. */
export type Tell = <K extends keyof ServiceEvents>(event: K, ...args: ServiceEvents[K]) => void
