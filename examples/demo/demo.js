// What this project does, shown to a person. Exits with 1 when anything that it shows did not happen.
import { readOptions } from '@sdbridge/test/support/options.js'
import { showContainer } from './container.js'
import { showEmbedded } from './embedded.js'
import { endOnSignals } from './ending.js'
import { showRealSystemd } from './real-systemd.js'
import { check, failureCount, quote, title } from './report.js'

readOptions(
  `Shows the example service under the embedded manager, and under a real systemd where that works; and one in a container.

Usage: node examples/demo/demo.js [--help]
`,
  {},
)
endOnSignals()
await show(showEmbedded)
await show(showRealSystemd)
await show(showContainer)

title(failureCount() === 0 ? 'Everything that was shown has happened.' : `${failureCount()} FAILED`)
process.exitCode = failureCount() === 0 ? 0 : 1

/** @param {() => Promise<void>} part */
async function show(part) {
  try {
    await part()
  } catch (error) {
    check(false, 'the rest of this part could not be shown:')
    quote(error instanceof Error ? error.message : String(error))
  }
}
