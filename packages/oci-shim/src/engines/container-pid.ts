/**
 * The pid that a {@link ContainerCommands.pid} command has printed: a number (docker, nerdctl, podman), or the state as JSON
 * (runc, crun). `undefined` if the container has no process, or has ended.
 */
export function parseContainerPid(output: string): number | undefined {
  const text = output.trim()
  const pid = /^\d+$/.test(text) ? Number(text) : pidOfState(text)
  return pid !== undefined && Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
}

function pidOfState(text: string): number | undefined {
  try {
    const state: unknown = JSON.parse(text)
    if (typeof state !== 'object' || state === null || !('pid' in state)) return undefined
    // crun leaves a pid there that is gone.
    if ('status' in state && state.status === 'stopped') return undefined
    return typeof state.pid === 'number' ? state.pid : undefined
  } catch {
    return undefined
  }
}
