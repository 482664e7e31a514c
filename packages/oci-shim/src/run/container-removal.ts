import { spawnSync } from 'node:child_process'
import type { Command, ContainerCommands, Launch } from '../engines/launch.js'
import { removeMountpoints } from '../runtime/mountpoints.js'
import { runCommand } from '../engines/command-outcome.js'
import { tell } from './operator-log.js'
import { isNone, type OwnContainer } from './own-container.js'

const ANSWER_MS = 15_000

/** What must be done so that nothing of a container goes on: one that was there before its unit is only stopped. */
export function removalOf(
  { engine, verb }: Launch,
  { remove, stop }: Pick<ContainerCommands, 'remove' | 'stop'>,
): Command {
  const isRuntime = engine === 'runc' || engine === 'crun'
  return verb === 'start' && !isRuntime ? stop(0)[0]! : remove
}

/**
 * Removes a container that has ended, and what its runtime has made for it.
 *
 * @param wasKilled Whether the engine's client was, and may have left something half made.
 * @returns Whether nothing is left of it. Otherwise that is told, and what is noted of it must stay.
 */
export async function removeContainer(
  own: OwnContainer,
  env: NodeJS.ProcessEnv,
  wasKilled: boolean,
): Promise<boolean> {
  const { launch } = own
  const problem = await removeOwn(own, env, wasKilled)
  if (problem !== undefined) {
    tell(
      `the container ${launch.container.name} is left behind: ${problem}; sdbridge cleanup, or the next start of the unit, removes it`,
    )
  }
  try {
    await removeMountpoints(launch.mountpoints)
  } catch (error) {
    // How the container has ended is worth more.
    tell(`a mountpoint may be left behind: ${(error as Error).message}`)
  }
  return problem === undefined
}

/** The same at once, where this process cannot go on. */
export function removeContainerNow(own: OwnContainer, env: NodeJS.ProcessEnv): boolean {
  try {
    const container = own.findNow()
    if (container === undefined) return true
    const { file, args } = removalOf(own.launch, container)
    return spawnSync(file, args, { env, stdio: 'ignore', timeout: ANSWER_MS }).status === 0
  } catch {
    // The engine does not say whether there is one.
    return false
  }
}

/** @returns What is in the way. */
async function removeOwn(
  own: OwnContainer,
  env: NodeJS.ProcessEnv,
  wasKilled: boolean,
): Promise<string | undefined> {
  let container
  try {
    container = await own.findLast(wasKilled)
  } catch (error) {
    return (error as Error).message
  }
  if (container === undefined) return undefined
  const { code, reason } = await runCommand(removalOf(own.launch, container), env, ANSWER_MS)
  return code === 0 || isNone(reason) ? undefined : reason
}
