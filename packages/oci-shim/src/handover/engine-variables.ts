/** What tells an engine's client which daemon, which images and which containers are meant. */
const ENGINE_VARIABLES =
  /^(?:(?:DOCKER|CONTAINER|CONTAINERS|CONTAINERD|NERDCTL|XDG)_[A-Z_\d]+|STORAGE_[A-Z]+|HOME|PATH|TMPDIR)$/

/** Those for who removes the container later, outside of the unit. */
export function engineVariables(env: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && ENGINE_VARIABLES.test(name) ? [[name, value] as const] : [],
  )
  return Object.fromEntries(entries)
}
