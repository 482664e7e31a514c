import { readFileSync } from 'node:fs'

/**
 * When a process was started, in clock ticks since the boot: what tells it from a later one with its number (proc_pid_stat(5)).
 *
 * @throws Error `ENOENT` if there is no such process.
 */
export function startTicksOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name of a program, in parentheses, may have blanks and parentheses of its own.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
}
