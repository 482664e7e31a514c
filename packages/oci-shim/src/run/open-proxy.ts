import type { ParsedAssignments } from '@sdbridge/notify/relay'
import { NotifyProxy } from '../proxy/notify-proxy.js'
import { STORE_PREFIX } from './container-sockets.js'
import { InitPid } from './init-pid.js'
import type { OwnContainer } from './own-container.js'
import type { PreparedRun } from './prepare-run.js'

/** Opens the container socket, and passes on what comes there from now on. */
export function openProxy(
  { directory, host, options, sockets, storeLimit }: PreparedRun,
  own: OwnContainer | undefined,
  onForwarded: (assignments: ParsedAssignments) => void,
): NotifyProxy {
  const isAsked = options.senders === 'init' || options.mainPid
  const initPid = own && new InitPid(own, host.passedOn, isAsked)
  // The unit's own limit is the service manager's to keep: it also knows what it has dropped.
  const limit = options.storeLimit ?? Infinity
  return new NotifyProxy({
    path: directory.socketPath,
    upstream: host.notifySocket,
    senders: options.senders,
    init: () => initPid?.get(),
    mainPid: options.mainPid,
    notifyAccess: options.notifyAccess,
    store: storeLimit === 0 ? undefined : { prefix: STORE_PREFIX, limit, names: sockets.stored },
    onForwarded,
    repeats: false,
  })
}
