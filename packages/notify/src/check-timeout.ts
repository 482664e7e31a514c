import { invalidArgType } from './errors.js'

/** Refuses what is no time to wait: with NaN, waiting would have no end. */
export function checkTimeout(timeoutMs: number): void {
  if (typeof timeoutMs === 'number' && timeoutMs >= 0) return
  throw invalidArgType('timeoutMs', 'a number of milliseconds from 0 on, or Infinity', timeoutMs)
}
