import { getFileLimit } from './file-limit.js'
import { signalNumber, SIGRTMAX } from './signal-number.js'
import { invalid } from './system-error.js'

/** What a program inherits from whoever executes it, and Node changes in itself before any JavaScript runs. */
export interface StartState {
  /** The soft limit of open descriptors (RLIMIT_NOFILE). Node raises it to the hard one. */
  softFileLimit: number
  /** The numbers of the signals that were ignored. Node ignores SIGPIPE and SIGXFSZ itself. */
  ignoredSignals: number[]
  /** The numbers of the signals that were blocked. Node blocks none. */
  blockedSignals: number[]
  /** Whether a launcher has recorded this ({@link RECORD_START_STATE}); otherwise it is what systemd starts a service with. */
  recorded: boolean
}

/** Carries the record: pid, soft limit, and the sets SigBlk and SigIgn as in /proc/PID/status. */
export const START_STATE_VARIABLE = 'SDBRIDGE_START_STATE'

/**
 * Lines for the shell script that starts a Node program, before its `exec node …`: nothing but the process before Node
 * knows what Node changes. POSIX sh; it starts no other program. The record only counts for the process that made it.
 */
// Shells change themselves, too. bash ignores SIGQUIT but not in its subshells; dash blocks nothing there.
export const RECORD_START_STATE: string = `${START_STATE_VARIABLE}="$$ $(ulimit -S -n)"
while IFS= read -r SDBRIDGE_LINE; do
  case $SDBRIDGE_LINE in SigBlk:*) ${START_STATE_VARIABLE}="$${START_STATE_VARIABLE} \${SDBRIDGE_LINE#SigBlk:?}" ;; esac
done </proc/self/status
${START_STATE_VARIABLE}="$${START_STATE_VARIABLE} $(
  while IFS= read -r SDBRIDGE_LINE; do
    case $SDBRIDGE_LINE in (SigIgn:*) echo "\${SDBRIDGE_LINE#SigIgn:?}" ;; esac
  done </proc/self/status
)"
export ${START_STATE_VARIABLE}
unset SDBRIDGE_LINE
`

// systemd's DefaultLimitNOFILE=, and the kernel's own soft limit: what select(2) can bear.
const USUAL_SOFT_LIMIT = 1024

/** What this process was started with: as recorded by its launcher, else as systemd starts services. */
export function startState(env: NodeJS.ProcessEnv = process.env): StartState {
  return recordedState(env) ?? usualState()
}

function recordedState(env: NodeJS.ProcessEnv): StartState | undefined {
  const record = /^(\d+) (\d{1,15}|unlimited) ([\da-f]{16}) ([\da-f]{16})$/.exec(
    env[START_STATE_VARIABLE] ?? '',
  )
  if (record === null || Number(record[1]) !== process.pid) return undefined
  return {
    softFileLimit: record[2] === 'unlimited' ? Infinity : Number(record[2]),
    ignoredSignals: signalsIn(BigInt(`0x${record[4]}`)),
    blockedSignals: signalsIn(BigInt(`0x${record[3]}`)),
    recorded: true,
  }
}

function usualState(): StartState {
  const { hard } = getFileLimit()
  const softFileLimit = Math.min(USUAL_SOFT_LIMIT, hard)
  return { softFileLimit, ignoredSignals: [], blockedSignals: [], recorded: false }
}

/** The signals of a set in the kernel's form: bit n-1 stands for signal n. */
export function signalsIn(set: bigint): number[] {
  const all = Array.from({ length: SIGRTMAX }, (_, index) => index + 1)
  return all.filter((signal) => ((set >> BigInt(signal - 1)) & 1n) === 1n)
}

/** The kernel's form of a set of signals. */
export function signalSet(signals: readonly number[]): bigint {
  return signals.map(bitOf).reduce((set, bit) => set | bit, 0n)
}

function bitOf(signal: number): bigint {
  if (signal === 0) throw invalid('0 is no signal')
  return 1n << BigInt(signalNumber(signal) - 1)
}
