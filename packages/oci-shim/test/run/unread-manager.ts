import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { DatagramSocket } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'
import { ENVIRONMENT, SDBRIDGE } from './unit.js'

/** Under which `sdbridge run` is, and which reads nothing at first. */
export interface UnreadManager {
  bridge: ChildProcessByStdio<null, Readable, Readable>
  /** How the bridge has ended: code and signal. */
  ended: Promise<unknown[]>
  /** Starts to read; what it gets is added to the list. */
  read: () => Promise<string[]>
}

/** Starts `sdbridge run` under a manager that reads nothing. */
export function underUnreadManager(command: readonly string[]): UnreadManager {
  const manager = new DatagramSocket('unix')
  onTestFinished(() => manager.close())
  const path = join(temporaryDirectory(), 'manager')
  manager.bind({ family: 'unix', path })
  const bridge = spawn(process.execPath, [SDBRIDGE, 'run', '--', ...command], {
    env: { ...ENVIRONMENT, NOTIFY_SOCKET: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void bridge.kill('SIGKILL'))
  return {
    bridge,
    ended: once(bridge, 'exit'),
    async read() {
      // A bridge that does not wait has ended by then.
      await delay(500)
      const received: string[] = []
      manager.receive({
        onMessages: (batch) => received.push(...batch.map(({ data }) => String(data))),
        onError: (error) => received.push(error.message),
      })
      return received
    },
  }
}
