import { resolveProgram } from '../run/program-file.js'

/** Whether a program is found by this environment's PATH, or at its path. */
export function hasProgram(file: string, env: NodeJS.ProcessEnv): boolean {
  try {
    resolveProgram(file, env)
    return true
  } catch {
    return false
  }
}
