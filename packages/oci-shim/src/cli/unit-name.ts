import { checkedUnit } from './checked-unit.js'
import { UsageError } from './usage-error.js'

/** The name of a service, with its suffix or without, as somebody has typed it. @throws UsageError */
export function unitNameOf(text: string): string {
  // No option of systemctl's either.
  if (checkedUnit(text) !== undefined && !text.startsWith('-')) return text
  throw new UsageError(`expected the name of a service such as web, found '${text}'`)
}
