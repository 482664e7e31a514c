// @ts-check
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A temporary directory that goes with this process, Ctrl-C included. Signals are heard only while nothing runs by
 * spawnSync() and the like.
 *
 * @param {string} name
 */
export function scratchDirectory(name) {
  const directory = mkdtempSync(join(tmpdir(), `sdbridge-${name}-`))
  // What was ended a moment ago may still write there.
  process.on('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 9 }))
  endOnSignals()
  return directory
}

/** By process.exit(), so that what is to be removed at the exit is. */
export function endOnSignals() {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
  }
}
