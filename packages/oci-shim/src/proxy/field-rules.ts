import type { ParsedAssignments } from '@sdbridge/notify/relay'

/** Whether a field goes to the service manager, and why. */
export interface FieldRule {
  /** `always`, or the option of `NotifyProxyOptions` without which it does not. */
  readonly forward: 'always' | 'mainPid' | 'notifyAccess' | 'store'
  readonly because: string
}

/** The allow-list. What is not in it, such as a line that systemd does not know, does not go. */
export const FIELD_RULES: Readonly<Record<keyof ParsedAssignments, FieldRule>> = {
  ready: { forward: 'always', because: 'the payload alone knows when it is ready' },
  reloading: { forward: 'always', because: 'the payload reloads, and the unit is reloading' },
  monotonicUsec: {
    forward: 'always',
    because: 'notify-reload needs it; it is put right for another time namespace',
  },
  stopping: { forward: 'always', because: 'the payload may end by itself, and the unit with it' },
  status: { forward: 'always', because: 'text for a person, without control characters' },
  errno: { forward: 'always', because: 'a number that means the same everywhere' },
  busError: { forward: 'always', because: 'a name that systemd only shows' },
  varlinkError: { forward: 'always', because: 'a name that systemd only shows' },
  exitStatus: { forward: 'always', because: 'systemd ignores it, and managers above it may not' },
  watchdog: { forward: 'always', because: 'the watchdog is to watch the payload' },
  watchdogUsec: { forward: 'always', because: 'the payload knows its own pace' },
  extendTimeoutUsec: { forward: 'always', because: 'the payload knows how long it takes' },
  restartReset: { forward: 'always', because: 'the payload knows when it is well again' },
  barrier: { forward: 'always', because: 'the service manager alone can say that it has read all' },
  extra: { forward: 'always', because: 'X_ keys are the payload’s own, and systemd ignores them' },
  fdStore: { forward: 'store', because: 'it fills the unit’s store: counted, under private names' },
  fdStoreRemove: { forward: 'store', because: 'it removes what has a private name' },
  fdName: {
    forward: 'store',
    because: 'made private, so that containers cannot touch each other’s',
  },
  fdPoll: { forward: 'store', because: 'it belongs to what is stored' },
  mainPid: {
    forward: 'mainPid',
    because:
      'a number of the container’s own process table names another process here: translated and checked. Once systemd has taken it, ' +
      'the bridge is not the main process any more, and NotifyAccess=main shuts it out',
  },
  mainPidFdId: { forward: 'mainPid', because: 'it tells which process MAINPID means: made anew' },
  mainPidFd: {
    forward: 'mainPid',
    because: 'any process’ pidfd could be sent: checked to be one of the container’s',
  },
  notifyAccess: {
    forward: 'notifyAccess',
    because: 'it decides who may speak for the unit, which is the host’s affair',
  },
}
