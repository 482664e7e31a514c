import { realpathSync } from 'node:fs'
import { readTextFile } from '../install/file-change.js'
import { printChanges } from '../install/print-changes.js'
import { BridgeError } from '../run/bridge-error.js'
import { configFileOf } from '../runtime/bundle.js'
import { type JsonObject, parseExactJson } from '../runtime/exact-json.js'
import { isObject } from '../runtime/json-values.js'
import { DAEMON_ANNOTATION } from '../engines/labels.js'
import type { FailurePolicy } from '../hooks/run-lifecycle-hook.js'
import { type DaemonNames, daemonNotification, makeMountSource } from './daemon-notification.js'
import { LIFECYCLE_STAGES, lifecycleHook } from './lifecycle-hooks.js'
import { type DaemonEdit, preparedConfig, unpreparedConfig } from './prepared-config.js'
import { unitNotification } from './unit-notification.js'

export interface PrepareOptions {
  /** The directory with `config.json`. */
  readonly bundle: string
  /** `web.service`, or `web`, whose `sdbridge run` is to bridge it; or what the daemon is to know; `undefined` to undo it. */
  readonly target: string | DaemonTarget | undefined
  readonly containerDirectory: string
  /** Prints what would be changed, and changes nothing. */
  readonly isDryRun: boolean
}

/** How the daemon hears of the container. */
export interface DaemonTarget extends DaemonNames {
  readonly onFailure: FailurePolicy
}

type Edit = (config: JsonObject) => JsonObject

/** `sdbridge prepare`. @throws BridgeError */
export async function prepareBundle({
  bundle,
  target,
  containerDirectory,
  isDryRun,
}: PrepareOptions): Promise<void> {
  const file = configFileOf(bundle)
  const before = readTextFile(file)
  if (before === undefined)
    throw failed(`${file}: expected the configuration of a bundle, found none`)
  const plan = await planFor(target, containerDirectory)
  const after = edited(file, before, plan.edit)
  if (!isDryRun) plan.makeSource?.()
  printChanges([{ file: realpathSync(file), before, after }], isDryRun)
}

interface Plan {
  readonly edit: Edit
  /** Makes what the container mounts, where nobody else does. */
  readonly makeSource?: () => void
}

async function planFor(
  target: PrepareOptions['target'],
  containerDirectory: string,
): Promise<Plan> {
  if (target === undefined) return { edit: unpreparedConfig }
  if (typeof target === 'string') {
    const notification = await unitNotification(target, containerDirectory)
    return { edit: (config) => preparedConfig(config, notification) }
  }
  const notification = await daemonNotification(target, containerDirectory)
  const { unit } = notification
  const hooks = LIFECYCLE_STAGES.map((stage) => [stage, lifecycleHook(stage, target.onFailure)])
  const daemon = {
    hooks: Object.fromEntries(hooks) as DaemonEdit['hooks'],
    annotations: unit === undefined ? {} : { [DAEMON_ANNOTATION]: unit },
  }
  return {
    edit: (config) => preparedConfig(config, notification, daemon),
    makeSource: () => makeMountSource(notification),
  }
}

function edited(file: string, text: string, edit: Edit): string {
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
