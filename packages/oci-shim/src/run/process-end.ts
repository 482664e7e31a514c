import { closeFd, pidfdOpen, waitForExit } from '@sdbridge/syscalls'
import { parseContainerPid } from '../engines/container-pid.js'
import type { Command } from '../engines/launch.js'
import { type Ending, endingOfStatus } from './ending.js'
import { runCommand } from '../engines/command-outcome.js'

const ANSWER_MS = 15_000

/**
 * Waits until the first process of a container has ended, where the engine itself has no command for that.
 *
 * @param pid Prints its pid.
 * @returns How it ended; `undefined` if that is not for us to know: it belonged to another process.
 */
export async function processEnd(
  pid: Command,
  env: NodeJS.ProcessEnv,
): Promise<Ending | undefined> {
  const { stdout } = await runCommand(pid, env, ANSWER_MS)
  const number = parseContainerPid(stdout)
  if (number === undefined) return undefined
  let pidfd
  try {
    pidfd = pidfdOpen(number)
  } catch {
    // It has ended meanwhile.
    return undefined
  }
  try {
    const status = await waitForExit(pidfd, { reap: true })
    return status && endingOfStatus(status)
  } finally {
    closeFd(pidfd)
  }
}
