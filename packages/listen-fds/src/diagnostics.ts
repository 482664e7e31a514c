import { createRequire } from 'node:module'
import { lstatSync } from 'node:fs'

type Log = (format: string, ...values: unknown[]) => void

let log: Log | undefined

/**
 * Tells whoever runs with `DEBUG=sdbridge:listen-fds` of something. `debug` is loaded by the first message, and not by importing this
 * package: it looks at the terminal and at the environment, and a process for each client should start quickly.
 */
export function debug(format: string, ...values: unknown[]): void {
  log ??= createLog()
  log(format, ...values)
}

function createLog(): Log {
  // So that Node 20 and 22 resolve symbolic links rightly: see fd-stats.ts.
  lstatSync('/')
  try {
    const createDebug = createRequire(import.meta.url)('debug') as (namespace: string) => Log
    return createDebug('sdbridge:listen-fds')
  } catch {
    // In a program that was bundled into one file, say.
    return () => {}
  }
}
