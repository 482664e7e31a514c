import type { Machine } from '../machine/machine.js'

/** The process id of a machine's service manager, as it is called outside. */
export function pidOfManager(machine: Machine): number {
  const [, pid] = /^\/proc\/(\d+)\/root\//.exec(machine.path('/')) ?? []
  return Number(pid)
}
