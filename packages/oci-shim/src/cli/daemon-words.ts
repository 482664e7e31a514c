import { UsageError } from './usage-error.js'

/** What an option of `sdbridge run` takes to be done while the container runs, and who does it where only the daemon is there. */
const REFUSED: Readonly<Record<string, string>> = {
  'main-pid': 'the daemon speaks for the main process that the unit has, and names no other',
  'notify-access': 'the daemon lets no container say who may speak for a unit',
  'store-limit': "the limit is the unit's own: set FileDescriptorStoreMax=",
  'pull-limit':
    'nobody is there to ask for more time: set TimeoutStartSec=, or pull the image in ExecStartPre=',
  'stop-timeout': 'the service manager stops the container by its client: set TimeoutStopSec=',
  systemd:
    'the daemon hears every process of a container, where of systemd it must be the first alone',
}

type Value = string | boolean | readonly string[] | undefined

/**
 * Checks what goes with `--daemon`.
 *
 * @param values The options that were given.
 * @throws UsageError that says why another one does not.
 */
export function checkDaemonWords(values: Readonly<Record<string, Value>>): void {
  for (const [option, why] of Object.entries(REFUSED))
    if (values[option] !== undefined)
      throw new UsageError(`--daemon with --${option}: ${why}; leave one of them out`)
  const { print, senders, unit } = values
  if (typeof senders === 'string' && senders !== 'all')
    throw new UsageError(
      `--daemon with --senders ${senders}: the daemon hears every process that reaches the socket; leave one of them out`,
    )
  if (unit !== undefined && print !== true)
    throw new UsageError(
      '--daemon with --unit: the daemon goes by the unit whose process this is; leave one of them out',
    )
}
