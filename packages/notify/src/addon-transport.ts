import type { Transport } from './transport.js'
import { openUnix } from './unix-outlet.js'
import { openVsock } from './vsock-outlet.js'

/** The sockets of `@sdbridge/syscalls`: all that the protocol has, for nearly no time. */
export const addonTransport: Transport = {
  name: 'addon',
  open: (address) => (address.kind === 'vsock' ? openVsock(address) : openUnix(address)),
}
