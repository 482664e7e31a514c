import type { DescriptorDoor } from './descriptor-request.js'
import { type EngineCommand, optionValue } from './engine-command.js'
import type { EngineReport } from './engine-problem.js'
import { isLauncher } from './launcher-mark.js'

/**
 * Finds out whether a container that is made now can have `sdbridge runtime`: as the runtime of its command line, as the engine's own, or
 * as one that the engine knows.
 */
export function descriptorDoor(
  command: EngineCommand,
  { annotates, defaultRuntime, runtimes }: EngineReport,
): DescriptorDoor | undefined {
  if (command.verb === 'start') return undefined
  const given = optionValue(command, 'runtime')
  const carrier = annotates ? 'annotation' : 'variable'
  // nerdctl takes a path.
  if (command.engine === 'nerdctl')
    return given !== undefined && isLauncher(given) ? { runtime: undefined, carrier } : undefined
  if (command.engine !== 'docker') return undefined
  const isOurs = (name: string | undefined): boolean => {
    const path = name === undefined ? undefined : runtimes.get(name)
    return path !== undefined && isLauncher(path)
  }
  if (isOurs(given ?? defaultRuntime)) return { runtime: undefined, carrier }
  const known = given === undefined ? [...runtimes.keys()].find((name) => isOurs(name)) : undefined
  return known === undefined ? undefined : { runtime: known, carrier }
}
