import type { FailurePolicy } from '../hooks/run-lifecycle-hook.js'
import { UsageError } from './usage-error.js'

/** The value of `--on-failure`. @throws UsageError */
export function failurePolicyOf(text: string): FailurePolicy {
  if (text === 'fail' || text === 'ignore') return text
  throw new UsageError(`--on-failure must be fail or ignore, not '${text}'`)
}
