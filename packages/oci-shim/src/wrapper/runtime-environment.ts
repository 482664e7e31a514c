/** Where the launcher keeps what is meant for another Node than ours. */
export const KEPT_NODE_OPTIONS = 'SDBRIDGE_NODE_OPTIONS'

/** The environment of a low-level runtime that is given descriptors from 3 on: as its caller has made it, but for those. */
export function environmentForRuntime(env: NodeJS.ProcessEnv, count: number): NodeJS.ProcessEnv {
  const { [KEPT_NODE_OPTIONS]: nodeOptions, ...rest } = env
  const theirs = nodeOptions === undefined ? rest : { ...rest, NODE_OPTIONS: nodeOptions }
  if (count === 0) return theirs
  // runc and crun tell the container of as many; the number of the process stays.
  return { ...theirs, LISTEN_FDS: String(count), LISTEN_PID: String(process.pid) }
}
