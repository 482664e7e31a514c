import { UsageError } from './usage-error.js'

/** The value of `--unit`, which names a directory. An empty one would be all of them. @throws UsageError */
export function checkedUnit(text: string | undefined): string | undefined {
  if (text === undefined || /^[\w:.\\@-]{1,255}$/.test(text)) return text
  throw new UsageError(`--unit must be a name such as web.service, not '${text}'`)
}
