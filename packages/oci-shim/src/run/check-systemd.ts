import type { EngineCommand } from '../engines/engine-command.js'
import { BridgeError } from './bridge-error.js'
import type { HostEnvironment } from './host-environment.js'
import type { RunOptions } from './run-options.js'
import { isUnified } from './unit-cgroup.js'

/** @throws BridgeError where systemd cannot be the payload, whatever the engine. */
export function checkSystemd(
  { command: words, print, senders }: Pick<RunOptions, 'command' | 'print' | 'senders'>,
  command: EngineCommand | undefined,
  { watchdogUsec }: Pick<HostEnvironment, 'watchdogUsec'>,
  cgroups?: string,
): void {
  if (command === undefined)
    throw refused(
      `expected a command of docker, podman, runc or crun, found ${words[0]}: leave it out`,
    )
  if (watchdogUsec !== undefined && senders === 'init')
    throw refused(
      `the unit has WatchdogSec=${Number(watchdogUsec) / 1e6}, and systemd as the first process of a container pings nobody: leave it out, and give the units inside WatchdogSec=`,
    )
  // A command that is only shown may be for another host.
  if (!print && !isUnified(cgroups))
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      '--systemd: this host has cgroups of version 1, of which none can be given to a container: expected version 2 alone (systemd.unified_cgroup_hierarchy=1 on the kernel command line)',
    )
}

function refused(why: string): BridgeError {
  return new BridgeError('ERR_BRIDGE_USAGE', `--systemd: ${why}`)
}
