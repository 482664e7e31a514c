// What this project does, shown to a person. Exits with 1 when anything that it shows did not happen.
import { readOptions } from '@sdbridge/test/support/options.js'
import { showEmbedded } from './embedded.js'
import { endOnSignals } from './ending.js'
import { showRealSystemd } from './real-systemd.js'
import { check, failureCount, line, quote, title } from './report.js'

readOptions(
  `Shows the example service under the embedded manager, and under a real systemd where that works.

Usage: node examples/demo/demo.js [--help]
`,
  {},
)
endOnSignals()
await show(showEmbedded)
await show(showRealSystemd)

title('The same service in a container')
line('skipped: the bridge into containers, @sdbridge/oci-shim, is not built yet')

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
