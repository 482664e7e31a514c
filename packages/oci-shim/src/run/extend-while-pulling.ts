import { type Assignments, notify } from '@sdbridge/notify'
import { tell } from './operator-log.js'
import type { PreparedRun } from './prepare-run.js'
import { PullExtension } from './pull-extension.js'

/**
 * Asks the service manager for more time, for as long as a container is not there; `undefined` where nobody could tell or hear that.
 *
 * @param hasStatus Whether the payload has a status of its own by now, which stays.
 */
export function extendWhilePulling(
  { host, options, plan }: PreparedRun,
  isOver: () => boolean,
  hasStatus: () => boolean,
): PullExtension | undefined {
  const { notifySocket } = host
  if (plan?.launch.container.idFile === undefined || notifySocket === undefined) return undefined
  const status = `Waiting for ${plan.launch.engine} to pull the image or to create the container`
  const say = (assignments: Assignments): void => {
    notify(assignments, { env: { NOTIFY_SOCKET: notifySocket } }).catch((error: Error) => {
      tell(error.message)
    })
  }
  return new PullExtension({
    limitMs: options.pullLimitSec * 1000,
    isOver,
    extend: (usec) => say({ extendTimeoutUsec: usec, status }),
    withdraw: () => {
      if (!hasStatus()) say({ status: '' })
    },
  })
}
