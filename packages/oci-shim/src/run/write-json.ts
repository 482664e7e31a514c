import { renameSync, writeFileSync } from 'node:fs'

/** Writes a value to a file of root's, or of this user's, alone: whole or not at all, at any moment at which this process may be killed. */
export function writeJson(path: string, value: object): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(value)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
