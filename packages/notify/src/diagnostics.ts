import { lstatSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Debugger } from 'debug'

/**
 * A logger of `debug`, which `DEBUG=sdbridge:*` turns on. The module is loaded by the first message that could be logged, and not
 * by importing this package: it looks at the terminal and at the environment.
 */
export function diagnostics(namespace: string): () => Debugger {
  let logger: Debugger | undefined
  return () => (logger ??= createDebug()(namespace))
}

function createDebug(): (namespace: string) => Debugger {
  // Node resolves symbolic links wrongly if the last thing that anybody has looked at was a pipe or a socket: fs.realpathSync()
  // takes what is left from that for its own (seen in 20 and 22). This leaves something else there.
  lstatSync('/')
  try {
    return createRequire(import.meta.url)('debug') as (namespace: string) => Debugger
  } catch {
    // In a program that was bundled into one file, say. What explains messages must not be what makes them fail.
    return () => SILENT
  }
}

const SILENT = Object.assign(() => {}, { enabled: false }) as unknown as Debugger
