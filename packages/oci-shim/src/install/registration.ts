import { dirname } from 'node:path'
import { isLauncher } from '../engines/launcher-mark.js'
import { BridgeError } from '../run/bridge-error.js'

/** How a launcher is made known to an engine, in one of its configuration files. */
export interface Registration {
  /** By which containers ask for it. */
  readonly name: string
  /** The launcher's absolute path. */
  readonly launcher: string
  /** The engine's configuration. */
  readonly file: string
}

/** What is undone: the launcher is any one in its directory. */
export interface RegistrationToUndo {
  readonly name: string
  /** Where launchers are. */
  readonly directory: string
  readonly file: string
}

/** Whether a program that an engine knows is ours: a launcher, or one of that directory which is gone. */
export function isOurs(path: unknown, directory: string): path is string {
  return typeof path === 'string' && (dirname(path) === directory || isLauncher(path))
}

/** The name is taken. */
export function foreignEntry(file: string, what: string): BridgeError {
  return new BridgeError(
    'ERR_BRIDGE_FAILED',
    `${file} has ${what} already, which is not of sdbridge runtime install: give another --name, or remove it`,
  )
}
