import { readFileSync } from 'node:fs'

/** A process that is between the service manager and this one. */
export interface Launcher {
  pid: number
  /** Its command line, shortened; empty if it cannot be read. */
  command: string
}

/** More generations than any chain of scripts has; a guard against a table of processes that changes meanwhile. */
const MOST_GENERATIONS = 64

/**
 * Finds out whether a process is an ancestor of this one: a shell, npm or tsx that was to become this program and
 * started it instead.
 *
 * @returns `undefined` if it is none, or where /proc does not tell.
 */
export function findLauncher(pid: number): Launcher | undefined {
  let ancestor = process.ppid
  for (let generation = 0; generation < MOST_GENERATIONS && ancestor > 1; generation++) {
    if (ancestor === pid) return { pid, command: commandOf(pid) }
    ancestor = parentOf(ancestor)
  }
  // The first process of a container or a unit with PrivatePIDs=.
  return ancestor === 1 && pid === 1 ? { pid, command: commandOf(pid) } : undefined
}

// The name of a process, in parentheses, may hold anything: the state and the parent come after the last one.
function parentOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`)
  const [, parent = '0'] = stat
    .slice(stat.lastIndexOf(')') + 1)
    .trim()
    .split(' ')
  return Number(parent)
}

function commandOf(pid: number): string {
  const command = read(`/proc/${pid}/cmdline`)
    .replaceAll(/[\0\s]+/g, ' ')
    .trim()
  return command.length > 80 ? `${command.slice(0, 80)}…` : command
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
