import { writeSync } from 'node:fs'
import { printChanges } from '../install/print-changes.js'
import { hookFile, withoutHookFile } from './hook-file.js'

export interface HookOptions {
  /** Where podman looks for hooks. */
  readonly directory: string
  readonly isDryRun: boolean
}

/** `sdbridge hook install`. @throws BridgeError */
export function installHook({ directory, isDryRun }: HookOptions): void {
  printChanges([hookFile(directory)], isDryRun)
  if (!isDryRun) writeSync(1, 'podman run --annotation io.sdbridge.unit=UNIT\n')
}

/** `sdbridge hook uninstall`. @throws BridgeError */
export function uninstallHook({ directory, isDryRun }: HookOptions): void {
  const change = withoutHookFile(directory)
  if (change === undefined) writeSync(1, 'there is nothing to remove\n')
  else printChanges([change], isDryRun)
}
