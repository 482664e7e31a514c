import { realpathSync } from 'node:fs'
import { readTextFile } from '../install/file-change.js'
import { printChanges } from '../install/print-changes.js'
import { BridgeError } from '../run/bridge-error.js'
import { configFileOf } from '../runtime/bundle.js'
import { type JsonObject, parseExactJson } from '../runtime/exact-json.js'
import { isObject } from '../runtime/json-values.js'
import { preparedConfig, unpreparedConfig } from './prepared-config.js'
import { unitNotification } from './unit-notification.js'

export interface PrepareOptions {
  /** The directory with `config.json`. */
  readonly bundle: string
  /** `web.service`, or `web`; `undefined` to undo it. */
  readonly unit: string | undefined
  readonly containerDirectory: string
  /** Prints what would be changed, and changes nothing. */
  readonly isDryRun: boolean
}

/** `sdbridge prepare`. @throws BridgeError */
export async function prepareBundle({
  bundle,
  unit,
  containerDirectory,
  isDryRun,
}: PrepareOptions): Promise<void> {
  const file = configFileOf(bundle)
  const before = readTextFile(file)
  if (before === undefined)
    throw failed(`${file}: expected the configuration of a bundle, found none`)
  const notification =
    unit === undefined ? undefined : await unitNotification(unit, containerDirectory)
  const after = edited(file, before, (config) =>
    notification === undefined ? unpreparedConfig(config) : preparedConfig(config, notification),
  )
  printChanges([{ file: realpathSync(file), before, after }], isDryRun)
}

function edited(file: string, text: string, edit: (config: JsonObject) => JsonObject): string {
  try {
    const json = parseExactJson(text)
    if (!isObject(json.value)) throw new SyntaxError('it is no JSON object')
    const config = edit(json.value)
    // What is as it should be stays as somebody has written it.
    if (json.stringify(config) === json.stringify(json.value)) return text
    return json.stringify(config) + (text.endsWith('\n') ? '\n' : '')
  } catch (error) {
    throw failed(`${file}: ${(error as Error).message}`)
  }
}

function failed(message: string): BridgeError {
  return new BridgeError('ERR_BRIDGE_FAILED', message)
}
