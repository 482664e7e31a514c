import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'

/** The path of a named pipe that goes with the test. */
export function fifo(): string {
  const path = join(temporaryDirectory(), 'fifo')
  execFileSync('mkfifo', [path])
  return path
}
