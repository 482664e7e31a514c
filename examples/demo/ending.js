// What must not stay when the demonstration is ended from outside: Ctrl-C, or nobody reads on (`demo | head`).
import { constants } from 'node:os'

/** @type {Set<() => unknown>} */
const closers = new Set()
let isEnding = false

/**
 * Runs a part, and then `close`, which may come earlier: when the program is ended.
 *
 * @param {() => Promise<void>} part
 * @param {() => unknown} close called once
 */
export async function withEnding(part, close) {
  closers.add(close)
  try {
    await part()
  } finally {
    if (closers.delete(close)) await close()
    // Or the program would go on while what it shows is taken away.
    if (isEnding) await new Promise(() => {})
  }
}

export function endOnSignals() {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => end(128 + constants.signals[signal]))
  }
  process.stdout.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    if (error.code !== 'EPIPE') throw error
    return end(128 + constants.signals.SIGPIPE)
  })
}

/** @param {number} exitCode */
async function end(exitCode) {
  if (isEnding) return
  isEnding = true
  for (const close of closers) {
    closers.delete(close)
    await close()
  }
  process.exit(exitCode)
}
