import {
  execve,
  type ExitStatus,
  type Signal,
  signalName,
  signalNumber,
  startState,
} from '@sdbridge/syscalls'

/** How a process ended; one of the two is undefined. */
export interface Ending {
  readonly code?: number | undefined
  readonly signal?: Signal | undefined
}

/** With these, systemd writes a core, of which ours would be Node's; all else says how the container ended. */
const CORE_DUMPING = new Set<Signal>([
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGIOT',
  'SIGBUS',
  'SIGFPE',
  'SIGSEGV',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGSYS',
])

/** The signals that service managers and operators send: an engine's exit code of 128 and more means one of them. */
const TOLD_BY_ENGINES = new Set(['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE', 'SIGKILL'])

/** What the kernel tells of a process. */
export function endingOfStatus({ code, signal }: ExitStatus): Ending {
  if (signal === null) return { code: code ?? undefined }
  // Those that are the C library's own have numbers only.
  return { signal: (Number(signal) || signal) as Signal }
}

/** An engine's client exits with 128 and the number of the signal that ended the container. */
export function endingOfEngine(ending: Ending): Ending {
  const { code } = ending
  if (code === undefined || code <= 128) return ending
  const name = signalName(code - 128)
  return TOLD_BY_ENGINES.has(name) ? { signal: name as NodeJS.Signals } : ending
}

/**
 * Ends this process in the same way, so that the unit's Restart= and what systemd takes for clean are decided as for
 * the container itself.
 *
 * @returns The exit code, where it is to end by one.
 */
export function endAs({ code, signal }: Ending): number {
  if (signal === undefined) return code ?? 0
  const number = signalNumber(signal)
  if (CORE_DUMPING.has(signal)) return 128 + number
  process.removeAllListeners(signal as NodeJS.Signals)
  if (signal === 'SIGPIPE' || signal === 'SIGXFSZ' || number >= FIRST_REAL_TIME) dieInShell(number)
  process.kill(process.pid, number)
  // It comes at once, unless this is the first process of a namespace, which signals do not end.
  return 128 + number
}

/** The kernel's, which the C library keeps for itself. */
const FIRST_REAL_TIME = 32

// Node ignores it, and no listener can change that; or it is caught, for the payload, and the shell does not.
function dieInShell(number: number): void {
  try {
    const state = { ...startState(), ignoredSignals: [], blockedSignals: [] }
    execve('/bin/sh', ['-c', `kill -${number} $$; exit ${128 + number}`], { state })
  } catch {
    // Then the exit code must do.
  }
}
