import type { Assignments, ParsedAssignments } from '../../src/assignments.js'

/** The same thing said by notify(), by sd_notify(3) and by systemd-notify(1). */
export interface Saying {
  assignments: Assignments
  /** How many descriptors go along. */
  fds?: number
  /** What a C program gives to sd_notify(3), and all three put on the wire. */
  state: string
  /** The arguments of systemd-notify(1), where it can say this; by default the lines as they are. */
  options?: readonly string[] | 'cannot'
  /** The systemd whose systemd-notify(1) has these options. */
  since?: number
  /** What the receiver reads, where it is not `assignments`. */
  read?: ParsedAssignments
}

/** Everything that can be said, with the same bytes. */
export const SAYINGS: readonly Saying[] = [
  { assignments: { ready: true }, state: 'READY=1', options: ['--ready'] },
  { assignments: { ready: true }, state: 'READY=1' },
  {
    assignments: { reloading: true, monotonicUsec: 5_000_000 },
    state: 'RELOADING=1\nMONOTONIC_USEC=5000000',
    read: { reloading: true, monotonicUsec: 5_000_000n },
  },
  { assignments: { stopping: true }, state: 'STOPPING=1', options: ['--stopping'], since: 254 },
  { assignments: { stopping: true }, state: 'STOPPING=1' },
  { assignments: { status: 'Grüße = 50 % 🚀' }, state: 'STATUS=Grüße = 50 % 🚀' },
  {
    assignments: { status: 'Grüße = 50 % 🚀' },
    state: 'STATUS=Grüße = 50 % 🚀',
    options: ['--status=Grüße = 50 % 🚀'],
  },
  { assignments: { status: '' }, state: 'STATUS=', options: ['--status='] },
  { assignments: { status: ' "quoted" ' }, state: 'STATUS= "quoted" ' },
  ...(['none', 'main', 'exec', 'all'] as const).map((notifyAccess) => ({
    assignments: { notifyAccess },
    state: `NOTIFYACCESS=${notifyAccess}`,
  })),
  { assignments: { errno: 2 }, state: 'ERRNO=2' },
  { assignments: { errno: 'ENOENT' }, state: 'ERRNO=2', read: { errno: 2 } },
  { assignments: { errno: -11 }, state: 'ERRNO=11', read: { errno: 11 } },
  { assignments: { errno: 0 }, state: 'ERRNO=0' },
  { assignments: { busError: 'org.example.Down' }, state: 'BUSERROR=org.example.Down' },
  { assignments: { varlinkError: 'org.example.Down' }, state: 'VARLINKERROR=org.example.Down' },
  { assignments: { exitStatus: 255 }, state: 'EXIT_STATUS=255' },
  { assignments: { mainPid: 4711 }, state: 'MAINPID=4711' },
  {
    assignments: { mainPid: 4711, mainPidFdId: 2n ** 64n - 1n },
    state: 'MAINPID=4711\nMAINPIDFDID=18446744073709551615',
  },
  { assignments: { mainPidFd: true }, fds: 1, state: 'MAINPIDFD=1', options: 'cannot' },
  { assignments: { watchdog: true }, state: 'WATCHDOG=1' },
  { assignments: { watchdog: 'trigger' }, state: 'WATCHDOG=trigger' },
  { assignments: { watchdogUsec: 0n }, state: 'WATCHDOG_USEC=0' },
  {
    assignments: { watchdogUsec: 'infinity' },
    state: 'WATCHDOG_USEC=18446744073709551615',
    read: { watchdogUsec: 2n ** 64n - 1n },
  },
  {
    assignments: { extendTimeoutUsec: 30_000_000 },
    state: 'EXTEND_TIMEOUT_USEC=30000000',
    read: { extendTimeoutUsec: 30_000_000n },
  },
  { assignments: { fdStore: true }, fds: 1, state: 'FDSTORE=1', options: ['--fd=3'], since: 254 },
  {
    assignments: { fdStore: true, fdName: 'db' },
    fds: 1,
    state: 'FDSTORE=1\nFDNAME=db',
    options: ['--fd=3', '--fdname=db'],
    since: 254,
  },
  {
    assignments: { fdStore: true, fdName: 'two of them', fdPoll: false },
    fds: 2,
    state: 'FDSTORE=1\nFDNAME=two of them\nFDPOLL=0',
    options: ['--fd=3', '--fd=4', '--fdname=two of them', 'FDPOLL=0'],
    since: 254,
  },
  { assignments: { fdStore: true }, fds: 253, state: 'FDSTORE=1', options: 'cannot' },
  { assignments: { fdStoreRemove: true, fdName: 'db' }, state: 'FDSTOREREMOVE=1\nFDNAME=db' },
  { assignments: { restartReset: true }, state: 'RESTART_RESET=1' },
  {
    assignments: { extra: { X_SDBRIDGE_A: 'one two', X_SDBRIDGE_B: '' } },
    state: 'X_SDBRIDGE_A=one two\nX_SDBRIDGE_B=',
  },
  {
    assignments: { ready: true, status: 'up', watchdog: true, errno: 0 },
    state: 'READY=1\nSTATUS=up\nWATCHDOG=1\nERRNO=0',
    options: ['--ready', '--status=up', 'WATCHDOG=1', 'ERRNO=0'],
  },
  { assignments: { status: 'x'.repeat(4089) }, state: `STATUS=${'x'.repeat(4089)}` },
]

/** What notify() says in another way than a C program that knows no better, and why. */
export interface Difference {
  assignments: Assignments
  fds?: number
  /** The state of the C program, which sd_notify(3) sends as it is. */
  theirs: string | Buffer
  /** What notify() sends, or the code of its error. */
  ours: string | { code: string }
  /** What a service manager makes of theirs; undefined: it drops the message. */
  theirsRead: ParsedAssignments | undefined
  why: string
}

const REFUSED = { code: 'ERR_NOTIFY_VALUE_INVALID' }

export const DIFFERENCES: readonly Difference[] = [
  {
    assignments: { ready: true },
    theirs: 'READY=1\n',
    ours: 'READY=1',
    theirsRead: { ready: true },
    why: 'a line break at the end: it says nothing, and BARRIER=1 must not have one',
  },
  {
    assignments: { status: 'a\nMAINPID=1' },
    theirs: 'STATUS=a\nMAINPID=1',
    ours: 'STATUS=a MAINPID=1',
    theirsRead: { status: 'a', mainPid: 1 },
    why: 'a line break in a status: it would be another assignment',
  },
  {
    assignments: { status: 'a\rREADY=1' },
    theirs: 'STATUS=a\rREADY=1',
    ours: 'STATUS=a READY=1',
    theirsRead: { status: 'a', ready: true },
    why: 'a carriage return in a status: it separates lines too',
  },
  {
    assignments: { status: 'C:\\new' },
    theirs: 'STATUS=C:\\new',
    ours: 'STATUS=C:\u29f5new',
    theirsRead: { status: 'C:new' },
    why: 'a backslash in a status: the manager takes it off',
  },
  {
    assignments: { status: 'C:\\', ready: true },
    theirs: 'STATUS=C:\\\nREADY=1',
    ours: 'STATUS=C:\u29f5\nREADY=1',
    theirsRead: { status: 'C:\nREADY=1' },
    why: 'a backslash at the end of a status: it glues the next line to it',
  },
  {
    assignments: { ready: true, status: 'C:\\' },
    theirs: 'READY=1\nSTATUS=C:\\',
    ours: 'READY=1\nSTATUS=C:\u29f5',
    theirsRead: undefined,
    why: 'a backslash at the end of the message: it is dropped whole, READY=1 too',
  },
  {
    assignments: { ready: true, status: 'a\u0001\tb\u009b' },
    theirs: 'READY=1\nSTATUS=a\u0001\tb\u009b',
    ours: 'READY=1\nSTATUS=a\ufffd b\ufffd',
    theirsRead: { ready: true, status: 'a\u0001\tb\u009b' },
    why: 'control characters in a status: they would reach the terminal of an operator',
  },
  {
    assignments: { ready: true, status: '\ud800' },
    theirs: Buffer.from('READY=1\nSTATUS=\xff', 'latin1'),
    ours: 'READY=1\nSTATUS=\ufffd',
    theirsRead: { ready: true, status: '' },
    why: 'text without a form in UTF-8: the manager would clear the status',
  },
  {
    assignments: { extra: { X_SDBRIDGE_A: 'a\\b' } },
    theirs: 'X_SDBRIDGE_A=a\\b',
    ours: 'X_SDBRIDGE_A=a\\\\b',
    theirsRead: { extra: { X_SDBRIDGE_A: 'ab' } },
    why: 'a backslash in an own assignment: doubled, it arrives',
  },
  {
    assignments: { ready: true, extra: { X_SDBRIDGE_A: 'x'.repeat(4096) } },
    theirs: `READY=1\nX_SDBRIDGE_A=${'x'.repeat(4096)}`,
    ours: { code: 'ERR_NOTIFY_MESSAGE_TOO_LONG' },
    theirsRead: undefined,
    why: 'a message that is too long: the manager would drop it whole',
  },
  {
    assignments: { ready: true, status: 'x'.repeat(4096) },
    theirs: `READY=1\nSTATUS=${'x'.repeat(4096)}`,
    ours: `READY=1\nSTATUS=${'x'.repeat(4096 - 'READY=1\nSTATUS=…'.length - 2)}…`,
    theirsRead: undefined,
    why: 'a message that is too long for its status: the status is shortened',
  },
  {
    assignments: {},
    theirs: '',
    ours: REFUSED,
    theirsRead: {},
    why: 'no assignment at all: it says nothing',
  },
  {
    assignments: { barrier: true },
    theirs: 'BARRIER=1',
    ours: REFUSED,
    theirsRead: undefined,
    why: 'a barrier without a descriptor: nothing could answer it',
  },
  {
    assignments: { ready: true },
    fds: 1,
    theirs: 'READY=1',
    ours: REFUSED,
    theirsRead: { ready: true },
    why: 'descriptors without a purpose: the manager would close them',
  },
  {
    assignments: { extendTimeoutUsec: 0 },
    theirs: 'EXTEND_TIMEOUT_USEC=0',
    ours: REFUSED,
    theirsRead: {},
    why: 'an extension by nothing: the manager ignores it',
  },
]
