import type { EngineCommand } from '../engines/engine-command.js'
import type { RunOptions } from '../run/run-options.js'
import type { BridgeCommand } from './bridge-command.js'
import type { UnitState } from './unit-state.js'

/** A unit, and what its command line says as far as it could be understood. */
export interface BridgedUnit {
  readonly state: UnitState
  /** A setting as systemctl prints it; empty if it is not there. */
  readonly value: (name: string) => string
  readonly bridge: BridgeCommand
  readonly options: RunOptions | undefined
  /** `undefined` if it is a command of no known engine, or a wrong one. */
  readonly command: EngineCommand | undefined
  /** The .socket units that belong to it. */
  readonly sockets: readonly string[]
}
