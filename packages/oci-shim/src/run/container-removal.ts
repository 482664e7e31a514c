import { spawnSync } from 'node:child_process'
import type { Command, Launch } from '../engines/launch.js'
import { removeMountpoints } from '../runtime/mountpoints.js'
import { runCommand } from '../engines/command-outcome.js'
import { tell } from './operator-log.js'

const ANSWER_MS = 15_000

/** What must be done so that nothing of a container goes on: one that was there before its unit is only stopped. */
export function removalOf({ container, engine, verb }: Launch): Command {
  const isRuntime = engine === 'runc' || engine === 'crun'
  return verb === 'start' && !isRuntime ? container.stop(0)[0]! : container.remove
}

/** Removes a container that has ended, and what its runtime has made for it. */
export async function removeContainer(launch: Launch, env: NodeJS.ProcessEnv): Promise<void> {
  const { code, reason } = await runCommand(removalOf(launch), env, ANSWER_MS)
  if (code !== 0) tell(`the container ${launch.container.name} may be left behind: ${reason}`)
  try {
    await removeMountpoints(launch.mountpoints)
  } catch (error) {
    // How the container has ended is worth more.
    tell(`a mountpoint may be left behind: ${(error as Error).message}`)
  }
}

/** The same at once, where this process cannot go on. */
export function removeContainerNow(launch: Launch, env: NodeJS.ProcessEnv): void {
  const { file, args } = removalOf(launch)
  spawnSync(file, args, { env, stdio: 'ignore', timeout: ANSWER_MS })
}
