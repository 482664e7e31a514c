import { readFileSync } from 'node:fs'

/** A process that is between the service manager and this one. */
export interface Launcher {
  pid: number
  /** Its command line, shortened, without the directory of the program; empty if it cannot be read. */
  command: string
}

/** More generations than any chain of scripts has; a guard against a table of processes that changes meanwhile. */
const MOST_GENERATIONS = 64

const MOST_CHARACTERS = 120

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

// Version managers keep node in deep directories: what it runs tells more of a launcher, and must not be cut off.
function commandOf(pid: number): string {
  const command = read(`/proc/${pid}/cmdline`)
    .replaceAll(/[\0\s]+/g, ' ')
    .trim()
    .replace(/^\S*\/(?=\S)/, '')
  return command.length > MOST_CHARACTERS ? `${command.slice(0, MOST_CHARACTERS)}…` : command
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
