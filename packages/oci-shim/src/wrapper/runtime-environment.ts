/** Where the launcher keeps what is meant for another Node than ours. */
export const KEPT_NODE_OPTIONS = 'SDBRIDGE_NODE_OPTIONS'

/** Where the launcher lists the descriptors that its caller has handed down: Node makes them close-on-exec, and has others of its own. */
export const INHERITED_FDS = 'SDBRIDGE_INHERITED_FDS'

/** The descriptors that are the low-level runtime's, beside its standard streams. */
export function inheritedFds(env: NodeJS.ProcessEnv): number[] {
  const numbers = env[INHERITED_FDS]?.match(/\d+/g) ?? []
  return numbers.map(Number).filter((fd) => fd > 2)
}

/** The environment of a low-level runtime that is given descriptors from 3 on: as its caller has made it, but for those. */
export function environmentForRuntime(env: NodeJS.ProcessEnv, count: number): NodeJS.ProcessEnv {
  const { [KEPT_NODE_OPTIONS]: nodeOptions, [INHERITED_FDS]: _list, ...rest } = env
  const theirs = nodeOptions === undefined ? rest : { ...rest, NODE_OPTIONS: nodeOptions }
  if (count === 0) return theirs
  // runc and crun tell the container of as many; the number of the process stays.
  return { ...theirs, LISTEN_FDS: String(count), LISTEN_PID: String(process.pid) }
}
