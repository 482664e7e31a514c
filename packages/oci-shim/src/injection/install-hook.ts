import { writeSync } from 'node:fs'
import { DAEMON_ANNOTATION, UNIT_LABEL } from '../engines/labels.js'
import { printChanges } from '../install/print-changes.js'
import { BridgeError } from '../run/bridge-error.js'
import { findProgram } from '../run/program-file.js'
import { type HookFileOptions, hookFiles, withoutHookFiles } from './hook-file.js'

export interface HookOptions extends HookFileOptions {
  /** Where engines look for hooks. */
  readonly directory: string
  readonly isDryRun: boolean
}

/** Where podman and CRI-O look unless they are told otherwise. */
export const HOOK_DIRECTORY = '/usr/share/containers/oci/hooks.d'

/** `sdbridge hook install`. @throws BridgeError */
export function installHook(options: HookOptions): void {
  const { directory, hasPrecreate, isDryRun } = options
  if (hasPrecreate && directory === HOOK_DIRECTORY) checkForCrio()
  printChanges(hookFiles(directory, options), isDryRun)
  if (isDryRun) return
  const annotations = hasPrecreate ? [UNIT_LABEL, DAEMON_ANNOTATION] : [DAEMON_ANNOTATION]
  for (const each of annotations) writeSync(1, `podman run --annotation ${each}=UNIT\n`)
}

/** `sdbridge hook uninstall`. @throws BridgeError */
export function uninstallHook({ directory, isDryRun }: HookOptions): void {
  const changes = withoutHookFiles(directory)
  if (changes.length === 0) writeSync(1, 'there is nothing to remove\n')
  else printChanges(changes, isDryRun)
}

function checkForCrio(): void {
  const crio = findProgram('crio', process.env)
  if (crio === undefined) return
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    `${crio} is on this host, and CRI-O does not start with a hook of podman's stage precreate in ${HOOK_DIRECTORY}: add --no-precreate, or give the ` +
      `directory of podman's hooks_dir= by --directory`,
  )
}
