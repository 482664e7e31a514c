import { notify } from '@sdbridge/notify'
import { tell } from './operator-log.js'
import type { PreparedRun } from './prepare-run.js'
import { PullExtension } from './pull-extension.js'

/** Asks the service manager for more time, for as long as a container is not there; `undefined` where nobody could tell or hear that. */
export function extendWhilePulling(
  { host, options, plan }: PreparedRun,
  isOver: () => boolean,
): PullExtension | undefined {
  const { notifySocket } = host
  if (plan?.launch.container.idFile === undefined || notifySocket === undefined) return undefined
  const status = `Waiting for ${plan.launch.engine} to pull the image or to create the container`
  return new PullExtension({
    limitMs: options.pullLimitSec * 1000,
    isOver,
    extend: (usec) => {
      const env = { NOTIFY_SOCKET: notifySocket }
      notify({ extendTimeoutUsec: usec, status }, { env }).catch((error: Error) => {
        tell(error.message)
      })
    },
  })
}
