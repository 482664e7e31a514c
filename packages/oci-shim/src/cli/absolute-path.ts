import { posix } from 'node:path'
import { UsageError } from './usage-error.js'

/** Engines read their files, and start launchers, in directories of their own. @throws UsageError */
export function absolutePath(
  option: string,
  value: string | boolean | undefined,
): string | undefined {
  if (value === undefined) return undefined
  const path = posix.normalize(String(value)).replace(/(?<=.)\/$/, '')
  if (path.startsWith('/')) return path
  throw new UsageError(`--${option} must be an absolute path, not '${value}'`)
}
