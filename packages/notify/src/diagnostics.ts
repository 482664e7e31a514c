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
  return createRequire(import.meta.url)('debug') as (namespace: string) => Debugger
}
