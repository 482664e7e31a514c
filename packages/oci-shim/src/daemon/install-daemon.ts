import { writeSync } from 'node:fs'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../engines/command-outcome.js'
import { type FileChange, readTextFile } from '../install/file-change.js'
import { printChanges } from '../install/print-changes.js'
import {
  ALLOW_LIST,
  daemonMetricsUnit,
  daemonServiceUnit,
  daemonSocketUnit,
  EMPTY_LIST,
  UNIT_DIRECTORY,
} from './unit-files.js'

export interface InstallDaemonOptions {
  readonly isDryRun: boolean
}

const ANSWER_MS = 5000

/** `sdbridge daemon install`. @throws BridgeError */
export async function installDaemon({ isDryRun }: InstallDaemonOptions): Promise<void> {
  const script = realpathSync(fileURLToPath(new URL('../../bin/sdbridge.js', import.meta.url)))
  const facts = { node: process.execPath, script, version: await systemdVersion() }
  const list = readTextFile(ALLOW_LIST)
  const isDue = printChanges(
    [
      change(SOCKET, daemonSocketUnit()),
      change(METRICS, daemonMetricsUnit()),
      change(SERVICE, daemonServiceUnit(facts)),
      // What an operator has written there stays.
      { file: ALLOW_LIST, before: list, after: list ?? EMPTY_LIST },
    ],
    isDryRun,
  )
  if (isDue && !isDryRun)
    writeSync(
      1,
      `name units in ${ALLOW_LIST}, then: systemctl daemon-reload && systemctl enable --now sdbridge.service\n`,
    )
}

/** `sdbridge daemon uninstall`: the list of units stays. @throws BridgeError */
export function uninstallDaemon({ isDryRun }: InstallDaemonOptions): void {
  const changes = [SERVICE, SOCKET, METRICS]
    .map((name) => change(name, undefined))
    .filter(({ before }) => before !== undefined)
  if (changes.length === 0) return void writeSync(1, 'there is nothing to remove\n')
  printChanges(changes, isDryRun)
  if (!isDryRun)
    writeSync(
      1,
      'systemctl daemon-reload; systemctl stop sdbridge.socket sdbridge-metrics.socket sdbridge ends what runs\n',
    )
}

const SOCKET = 'sdbridge.socket'
const METRICS = 'sdbridge-metrics.socket'
const SERVICE = 'sdbridge.service'

function change(name: string, after: string | undefined): FileChange {
  const file = join(UNIT_DIRECTORY, name)
  return { file, before: readTextFile(file), after }
}

// Without an answer, it is taken for an old one: what it has is known to all.
async function systemdVersion(): Promise<number> {
  const command = { file: 'systemctl', args: ['--version'] }
  const { stdout } = await runCommand(command, process.env, ANSWER_MS)
  return Number(/^systemd (\d+)/.exec(stdout)?.[1] ?? 0)
}
