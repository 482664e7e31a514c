import { constants } from 'node:os'
import { invalid } from './system-error.js'

/** A signal: Node's names, those of real-time signals, or the number. */
export type Signal =
  NodeJS.Signals | 'SIGRTMIN' | `SIGRTMIN+${number}` | `SIGRTMAX-${number}` | 'SIGRTMAX' | number

/**
 * The first real-time signal, as glibc, systemd and container engines count: the kernel's 32 and 33 belong to the
 * C library. (musl keeps 34 too and counts from 35; the others' numbers are what arrives.)
 */
export const SIGRTMIN = 34
/** The last one. */
export const SIGRTMAX = 64

/**
 * The number of a signal on Linux.
 *
 * @throws TypeError for what is no signal.
 */
export function signalNumber(signal: Signal): number {
  const number =
    typeof signal === 'number'
      ? signal
      : (realTime(signal) ?? constants.signals[signal as NodeJS.Signals])
  if (!Number.isInteger(number) || number < 0 || number > SIGRTMAX) {
    throw invalid(
      `not a signal: ${String(signal)} (expected a name such as SIGTERM or SIGRTMIN+3, or 0 to 64)`,
    )
  }
  return number
}

/** The name of a signal; a number's own digits where it has none. */
export function signalName(number: number): string {
  if (number >= SIGRTMIN && number <= SIGRTMAX)
    return number === SIGRTMIN ? 'SIGRTMIN' : `SIGRTMIN+${number - SIGRTMIN}`
  const names = Object.keys(constants.signals) as NodeJS.Signals[]
  return names.find((name) => constants.signals[name] === number) ?? `${number}`
}

function realTime(name: string): number | undefined {
  const match = /^SIGRT(?:MIN(?:\+(\d{1,2}))?|MAX(?:-(\d{1,2}))?)$/.exec(name)
  if (match === null) return undefined
  const number = name.startsWith('SIGRTMIN')
    ? SIGRTMIN + Number(match[1] ?? 0)
    : SIGRTMAX - Number(match[2] ?? 0)
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : Number.NaN
}
