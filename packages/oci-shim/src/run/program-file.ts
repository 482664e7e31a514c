import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { BridgeError } from './bridge-error.js'

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Where a program is, as execvp(3) looks for it.
 *
 * @throws BridgeError `ERR_BRIDGE_NOT_FOUND`, `ERR_BRIDGE_NOT_EXECUTABLE`.
 */
export function resolveProgram(file: string, env: NodeJS.ProcessEnv): string {
  if (file.includes('/')) return checkExecutable(file)
  const path = env['PATH'] ?? DEFAULT_PATH
  const candidates = candidatesOf(file, path)
  const found = candidates.find((each) => isExecutable(each))
  if (found !== undefined) return found
  const useless = candidates.find((each) => isFile(each))
  if (useless !== undefined) return checkExecutable(useless)
  throw new BridgeError(
    'ERR_BRIDGE_NOT_FOUND',
    `${file} is not in PATH (${path}): install it, or write its whole path`,
  )
}

/** Whether {@link resolveProgram} finds it. */
export function hasProgram(file: string, env: NodeJS.ProcessEnv): boolean {
  try {
    resolveProgram(file, env)
    return true
  } catch {
    return false
  }
}

/** The absolute path of a program for a unit, which may have another PATH than whoever writes it; `undefined` if there is none. */
export function findProgram(name: string, env: NodeJS.ProcessEnv): string | undefined {
  // Where runc is on many systems, and a user's PATH does not lead.
  const path = [env['PATH'] ?? DEFAULT_PATH, '/usr/sbin', '/usr/local/sbin'].join(delimiter)
  const found = candidatesOf(name, path).find((each) => isExecutable(each))
  return found === undefined ? undefined : resolve(found)
}

// An empty one is the working directory.
function candidatesOf(name: string, path: string): string[] {
  return path.split(delimiter).map((directory) => join(directory || '.', name))
}

function checkExecutable(file: string): string {
  if (isExecutable(file)) return file
  if (!existsSync(file)) {
    throw new BridgeError(
      'ERR_BRIDGE_NOT_FOUND',
      `${file} does not exist: install it, or correct its path`,
    )
  }
  throw new BridgeError(
    'ERR_BRIDGE_NOT_EXECUTABLE',
    `${file} is not a program that this user may run`,
  )
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return isFile(file)
  } catch {
    return false
  }
}

// A directory of PATH that this user may not read holds nothing for it.
function isFile(file: string): boolean {
  try {
    return statSync(file).isFile()
  } catch {
    return false
  }
}
