import type { NotifyAddress } from './address.js'
import { NotifyError } from './errors.js'
import type { Outlet } from './transport.js'

export function openVsock(address: NotifyAddress & { kind: 'vsock' }): Outlet {
  throw new NotifyError('ERR_NOTIFY_INVALID_ADDRESS', `vsock:${address.cid} comes soon`)
}
