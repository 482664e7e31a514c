import { readFile } from 'node:fs/promises'
import type { Machine } from '../machine/machine.js'
import { pidOfManager } from './pid-of-manager.js'

/**
 * Stops a machine's service manager, as Ctrl-Z stops a program in a terminal, and lets it go on when the action is
 * over. Meanwhile it reads no notifications and answers no systemctl.
 */
export async function whileManagerIsStopped<T>(
  machine: Machine,
  action: () => Promise<T>,
): Promise<T> {
  // From outside: SIGSTOP from inside does not reach PID 1.
  const pid = pidOfManager(machine)
  process.kill(pid, 'SIGSTOP')
  try {
    // Sending the signal is one thing, stopping is another.
    while ((await stateOfManager(machine)) !== 'T');
    return await action()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

async function stateOfManager(machine: Machine): Promise<string | undefined> {
  return /^State:\t(\w)/m.exec(await readFile(machine.path('/proc/1/status'), 'utf8'))?.[1]
}
