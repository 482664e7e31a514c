import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../engines/launch.js'

/** What must be known to remove a container when the process that started it is gone. */
export interface RunState {
  readonly unit: string
  readonly invocation: string | undefined
  /** `undefined` for a command that is no known engine. */
  readonly container: NotedContainer | undefined
}

export interface NotedContainer {
  readonly name: string
  /** Prints whose it is; `undefined` for one that was there before its unit. */
  readonly inspect: Command | undefined
  readonly remove: Command
}

const NAME = 'state.json'

export function writeState(directory: string, state: RunState): void {
  const path = join(directory, NAME)
  // Whole or not at all, at any moment at which this process may be killed.
  writeFileSync(`${path}.new`, `${JSON.stringify(state)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** @returns `undefined` if there is none. The caller has checked whose the directory is. */
export function readState(directory: string): RunState | undefined {
  try {
    const state = JSON.parse(readFileSync(join(directory, NAME), 'utf8')) as RunState
    return typeof state.unit === 'string' ? state : undefined
  } catch {
    return undefined
  }
}
