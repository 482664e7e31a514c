import { NotifyError } from '@sdbridge/notify'
import { openUnix, parseNotifyAddress, type UnixOutlet } from '@sdbridge/notify/relay'

/**
 * The way to the service manager.
 *
 * @param upstream As in `$NOTIFY_SOCKET`.
 * @throws NotifyError `ERR_NOTIFY_INVALID_ADDRESS`.
 */
export function managerOutlet(upstream: string): UnixOutlet {
  const address = parseNotifyAddress(upstream)
  if (address.kind !== 'vsock') return openUnix(address)
  const message =
    `NOTIFY_SOCKET is '${upstream}', to which no descriptors can be sent, and so no barriers: run the bridge as a unit of the ` +
    'service manager on this side, whose address is a path'
  throw new NotifyError('ERR_NOTIFY_INVALID_ADDRESS', message, { address: upstream })
}
