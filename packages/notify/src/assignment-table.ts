import type { Assignments, ParsedAssignments } from './assignments.js'
import * as grammar from './grammar.js'
import { UINT64_MAX } from './integer.js'

/** What both directions know of one assignment. */
export interface AssignmentRule<Value = unknown> extends grammar.Grammar<Value> {
  /** The name on the wire. */
  readonly key: string
  /** What the service manager takes in place of a value that breaks the grammar; mostly nothing. */
  readonly instead?: Value
}

/** The properties that stand for one assignment each. */
export type AssignmentProperty = Exclude<keyof Assignments & keyof ParsedAssignments, 'extra'>

/** The largest that a process id can be. */
export const PID_MAX: number = 2 ** 31 - 1

/** Every assignment that the protocol defines. */
export const ASSIGNMENT_RULES: {
  readonly [Property in AssignmentProperty]: AssignmentRule<
    Exclude<ParsedAssignments[Property], undefined>
  >
} = {
  ready: { key: 'READY', ...grammar.flag },
  reloading: { key: 'RELOADING', ...grammar.flag },
  monotonicUsec: { key: 'MONOTONIC_USEC', ...grammar.integer(0n, UINT64_MAX) },
  stopping: { key: 'STOPPING', ...grammar.flag },
  status: { key: 'STATUS', ...grammar.status, instead: '' },
  notifyAccess: { key: 'NOTIFYACCESS', ...grammar.choice(['none', 'main', 'exec', 'all']) },
  errno: { key: 'ERRNO', ...grammar.errno },
  busError: { key: 'BUSERROR', ...grammar.errorName },
  varlinkError: { key: 'VARLINKERROR', ...grammar.errorName },
  exitStatus: { key: 'EXIT_STATUS', ...grammar.smallInteger(0, 255) },
  mainPid: { key: 'MAINPID', ...grammar.smallInteger(1, PID_MAX) },
  mainPidFdId: { key: 'MAINPIDFDID', ...grammar.integer(0n, UINT64_MAX) },
  mainPidFd: { key: 'MAINPIDFD', ...grammar.flag },
  watchdog: { key: 'WATCHDOG', ...grammar.watchdog },
  watchdogUsec: { key: 'WATCHDOG_USEC', ...grammar.integerOrInfinity(0n) },
  // The service manager ignores both ends of the range.
  extendTimeoutUsec: { key: 'EXTEND_TIMEOUT_USEC', ...grammar.integer(1n, UINT64_MAX - 1n) },
  fdStore: { key: 'FDSTORE', ...grammar.flag },
  fdStoreRemove: { key: 'FDSTOREREMOVE', ...grammar.flag },
  fdName: { key: 'FDNAME', ...grammar.fdName },
  fdPoll: { key: 'FDPOLL', ...grammar.offFlag },
  restartReset: { key: 'RESTART_RESET', ...grammar.flag },
  barrier: { key: 'BARRIER', ...grammar.flag },
}

/** The name on the wire, such as `READY`. */
export function wireKey(property: AssignmentProperty): string {
  return ASSIGNMENT_RULES[property].key
}

/** By property, for the sender. */
export const RULE_BY_PROPERTY: ReadonlyMap<string, AssignmentRule> = new Map(
  Object.entries(ASSIGNMENT_RULES),
)

/** By the name on the wire, for the receiver. */
export const RULE_BY_KEY: ReadonlyMap<string, AssignmentRule & { readonly property: string }> =
  new Map(
    Object.entries(ASSIGNMENT_RULES).map(([property, rule]) => [rule.key, { ...rule, property }]),
  )

/** The names that users may give to assignments of their own. */
export const EXTRA_KEY: RegExp = /^X_[A-Za-z0-9_]+$/
