import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../engines/launch.js'
import { isAlive, type NotedProcess } from './start-ticks.js'
import { writeJson } from './write-json.js'

/** What must be known to remove a container when the process that started it is gone. */
export interface RunState {
  readonly unit: string
  readonly invocation: string | undefined
  /** `undefined` for a command that is no known engine. */
  readonly container: NotedContainer | undefined
  /** The engine's client, where that is all there is in the unit: for as long as it lives, the container is not left behind. */
  readonly client?: NotedProcess
  /** What the engine's client finds in its environment, of what tells it where its containers are. */
  readonly environment?: Readonly<Record<string, string>>
  /** What its runtime may make as mountpoints, as in the launch. */
  readonly mountpoints?: readonly string[]
}

export interface NotedContainer {
  readonly name: string
  /** Prints whose it is; `undefined` for one that was there before its unit. */
  readonly inspect: Command | undefined
  readonly remove: Command
}

const NAME = 'state.json'

export function writeState(directory: string, state: RunState): void {
  writeJson(join(directory, NAME), state)
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

/** Whether the process that has become the engine's client, after it wrote this, is still there. */
export function hasLivingClient(directory: string): boolean {
  const client = readState(directory)?.client
  return client !== undefined && isAlive(client)
}
