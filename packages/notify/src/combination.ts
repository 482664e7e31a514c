import { NotifyError } from './errors.js'

/** What the kernel lets one message carry (its SCM_MAX_FD). */
export const MESSAGE_MAX_FDS = 253

/**
 * Refuses assignments and descriptors that do not go together: the service manager would drop the
 * message, close the descriptors or ignore an assignment, and tell only its own log.
 */
export function checkCombination(lines: ReadonlyMap<string, string>, fdCount: number): void {
  for (const { assignment, isBroken, reason } of RULES) {
    if (isBroken(lines, fdCount)) {
      throw new NotifyError('ERR_NOTIFY_VALUE_INVALID', reason, assignment ? { assignment } : {})
    }
  }
}

interface CombinationRule {
  readonly assignment?: string
  readonly reason: string
  isBroken(lines: ReadonlyMap<string, string>, fdCount: number): boolean
}

const RULES: readonly CombinationRule[] = [
  {
    reason: 'nothing to send: no assignment was given',
    isBroken: (lines) => lines.size === 0,
  },
  {
    reason:
      `at most ${MESSAGE_MAX_FDS} descriptors fit into one message: ` +
      'send the others in a further one, with the same fdName',
    isBroken: (_, fdCount) => fdCount > MESSAGE_MAX_FDS,
  },
  {
    assignment: 'BARRIER',
    reason:
      'barrier must be the only assignment, and must come with exactly one descriptor: ' +
      'the service manager drops anything else whole',
    isBroken: (lines, fdCount) => lines.has('BARRIER') && (lines.size > 1 || fdCount !== 1),
  },
  {
    reason: 'descriptors need fdStore, mainPidFd or barrier: the service manager closes all others',
    isBroken: (lines, fdCount) =>
      fdCount > 0 && !lines.has('FDSTORE') && !lines.has('MAINPIDFD') && !lines.has('BARRIER'),
  },
  {
    assignment: 'FDSTORE',
    reason: 'fdStore needs at least one descriptor to store',
    isBroken: (lines, fdCount) => lines.has('FDSTORE') && fdCount === 0,
  },
  {
    assignment: 'MAINPIDFD',
    reason:
      'mainPidFd and fdStore exclude each other: the descriptor is either used up or stored; ' +
      'send two messages',
    isBroken: (lines) => lines.has('MAINPIDFD') && lines.has('FDSTORE'),
  },
  {
    assignment: 'MAINPIDFD',
    reason: 'mainPidFd must come with exactly one descriptor, the pidfd',
    isBroken: (lines, fdCount) => lines.has('MAINPIDFD') && fdCount !== 1,
  },
  {
    assignment: 'MAINPIDFDID',
    reason: 'mainPidFdId needs mainPid, whose process it identifies',
    isBroken: (lines) => lines.has('MAINPIDFDID') && !lines.has('MAINPID'),
  },
  {
    assignment: 'FDSTOREREMOVE',
    reason:
      'fdStoreRemove and fdStore exclude each other: removing wins, and the new descriptors ' +
      'would be closed; to replace, send fdStoreRemove first',
    isBroken: (lines) => lines.has('FDSTOREREMOVE') && lines.has('FDSTORE'),
  },
  {
    assignment: 'FDSTOREREMOVE',
    reason: 'fdStoreRemove needs fdName, the name of what to remove',
    isBroken: (lines) => lines.has('FDSTOREREMOVE') && !lines.has('FDNAME'),
  },
  {
    assignment: 'FDNAME',
    reason: 'fdName needs fdStore or fdStoreRemove',
    isBroken: (lines) =>
      lines.has('FDNAME') && !lines.has('FDSTORE') && !lines.has('FDSTOREREMOVE'),
  },
  {
    assignment: 'FDPOLL',
    reason: 'fdPoll needs fdStore',
    isBroken: (lines) => lines.has('FDPOLL') && !lines.has('FDSTORE'),
  },
  {
    assignment: 'MONOTONIC_USEC',
    reason: 'monotonicUsec needs reloading: it is read with nothing else',
    isBroken: (lines) => lines.has('MONOTONIC_USEC') && !lines.has('RELOADING'),
  },
]
