import { duplicateFd } from '@sdbridge/syscalls'
import { describeDescriptor } from './descriptor-facts.js'
import { InheritedFd } from './inherited-fd.js'

/**
 * Returns the socket of a unit with `StandardInput=socket`, as inetd services have it: a connection with `Accept=yes`, else the
 * unit's one listening or datagram socket. Such a unit has no `LISTEN_FDS`, and tells nothing else that would distinguish this from any other
 * standard input: so this is for services that are made for it. Anything that is no socket comes as what it is; `expect` refuses it.
 *
 * The descriptor is a second one (dup(2)) and the caller's: standard input stays open beside it, since Node could not do without. A
 * connection therefore ends by `end()`, or with the process; `destroy()` alone leaves it open.
 *
 * @returns An {@link InheritedFd} with the name `stdin`.
 * @throws Error `ERR_SYSCALLS_UNAVAILABLE` where `@sdbridge/syscalls` has no binary.
 * @see systemd.exec(5), StandardInput=
 *
 * @example
 * server.listen(standardInput().expect('tcp-listener'))
 */
export function standardInput(): InheritedFd {
  const fd = duplicateFd(0)
  return new InheritedFd(fd, 'stdin', describeDescriptor(fd))
}
