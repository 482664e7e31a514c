/** The variables of one environment that were unset here, and what they held. */
const unset = new WeakMap<NodeJS.ProcessEnv, Map<string, string>>()

/** `$NOTIFY_SOCKET`, also after {@link unsetVariables}. By a literal name: process.env is slow, and slower by a computed one. */
export function notifySocketOf(env: NodeJS.ProcessEnv): string | undefined {
  return env['NOTIFY_SOCKET'] ?? unset.get(env)?.get('NOTIFY_SOCKET')
}

/** Reads another variable that the service manager has set, also after {@link unsetVariables}. */
export function readVariable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name] ?? unset.get(env)?.get(name)
}

/**
 * Removes variables, so that children do not inherit them. This package still knows what they held: what is sent later must not
 * fail because of that.
 */
export function unsetVariables(env: NodeJS.ProcessEnv, ...names: string[]): void {
  for (const name of names) {
    const value = env[name]
    if (value === undefined) continue
    const held = unset.get(env) ?? new Map<string, string>()
    unset.set(env, held.set(name, value))
    delete env[name]
  }
}
