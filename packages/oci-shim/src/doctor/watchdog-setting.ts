import { readFileSync } from 'node:fs'
import type { BridgedUnit } from './bridged-unit.js'

/**
 * What the unit's files say by `WatchdogSec=`: of a unit that has not been started, the service manager does not tell.
 *
 * @returns As it is written; `undefined` if there is none, or it is off.
 */
export function watchdogSetting({ value }: Pick<BridgedUnit, 'value'>): string | undefined {
  const files = [value('FragmentPath'), ...value('DropInPaths').split(' ')]
  const settings = files.flatMap((file) => settingsIn(file))
  const last = settings.at(-1)
  return last !== undefined && /[1-9]/.test(last) ? last : undefined
}

function settingsIn(file: string): string[] {
  if (file === '') return []
  try {
    const lines = readFileSync(file, 'utf8').matchAll(
      /^[ \t]*WatchdogSec[ \t]*=[ \t]*(.*?)[ \t]*$/gm,
    )
    return [...lines].map(([, text]) => text!)
  } catch {
    // It has gone since it was loaded, which is another diagnosis.
    return []
  }
}
