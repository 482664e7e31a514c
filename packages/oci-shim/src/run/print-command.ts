import { writeSync } from 'node:fs'
import { fillPlaceholders } from './placeholders.js'
import type { PreparedRun } from './prepare-run.js'
import { shellWords } from '../words/shell-words.js'
import { childVariables } from './child-variables.js'

/** Prints the command that would be run, as a shell would take it, with the variables that are set for it. */
export function printCommand(prepared: PreparedRun): void {
  const { options, plan, places } = prepared
  const { file, args } = plan?.launch ?? fillPlaceholders(options.command, places)
  const variables = Object.entries(childVariables(prepared)).map(
    ([name, value]) => `${name}=${value}`,
  )
  const words = variables.length === 0 ? [file, ...args] : ['env', ...variables, file, ...args]
  writeSync(1, `${shellWords(words)}\n`)
}
