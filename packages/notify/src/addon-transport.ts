import type { Transport } from './transport.js'
import { UnixOutlet } from './unix-outlet.js'
import { openVsock } from './vsock-outlet.js'

/** The sockets of `@sdbridge/syscalls`: all that the protocol has, for nearly no time. */
export const addonTransport: Transport = {
  name: 'addon',
  open(address) {
    if (address.kind === 'vsock') return openVsock(address)
    return new UnixOutlet(
      address.kind === 'unix-path'
        ? { family: 'unix', path: address.path }
        : { family: 'unix', abstract: Buffer.from(address.name) },
    )
  },
}
