import { readFileSync } from 'node:fs'

/** What the kernel says of a process (proc_pid_stat(5)). */
interface ProcessStat {
  /** `Z` and `X` have ended. */
  readonly state: string
  /** When it was started, in clock ticks since the boot. */
  readonly startTicks: string
}

/**
 * When a process was started, in clock ticks since the boot: what tells it from a later one with its number (proc_pid_stat(5)).
 *
 * @throws Error `ENOENT` if there is no such process.
 */
export function startTicksOf(pid: number): string {
  return readStat(pid).startTicks
}

/** A process, in words that outlive whoever writes them. */
export interface NotedProcess {
  readonly pid: number
  readonly startTicks: string
}

export function noteProcess(pid: number): NotedProcess {
  return { pid, startTicks: startTicksOf(pid) }
}

/** Whether a process that was noted has not ended yet. */
export function isAlive({ pid, startTicks }: NotedProcess): boolean {
  try {
    const stat = readStat(pid)
    return stat.startTicks === startTicks && !['Z', 'X'].includes(stat.state)
  } catch {
    return false
  }
}

function readStat(pid: number): ProcessStat {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name of a program, in parentheses, may have blanks and parentheses of its own.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0]!, startTicks: fields[19]! }
}
