import { removalOf } from './container-removal.js'
import type { PreparedRun } from './prepare-run.js'
import type { RunState } from './state-file.js'

/** What is noted of a run before its container is started. */
export function stateOf({
  host,
  identity,
  plan,
}: Pick<PreparedRun, 'host' | 'identity' | 'plan'>): RunState {
  return {
    unit: identity.id,
    invocation: host.invocation,
    container: plan && {
      name: plan.launch.container.name,
      inspect: plan.launch.verb === 'start' ? undefined : plan.launch.container.inspect,
      remove: removalOf(plan.launch, plan.launch.container),
    },
  }
}
