import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'

/** A program of an engine's name, which notes what it is told. */
export interface ScriptedEngine {
  file: string
  directory: string
  /** The words of each call, in their order. */
  said: () => string[]
}

/**
 * Makes a program that answers as an engine would.
 *
 * @param body Of a shell script, with the engine's words as its arguments and `$directory` for its own files.
 */
export function scriptedEngine(name: string, body: string): ScriptedEngine {
  const directory = temporaryDirectory()
  const file = join(directory, name)
  const log = join(directory, 'said')
  writeFileSync(log, '')
  writeFileSync(
    file,
    `#!/bin/sh\ndirectory='${directory}'\necho "$@" >>"$directory/said"\n${body}\n`,
    {
      mode: 0o755,
    },
  )
  return {
    file,
    directory,
    said: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
  }
}
