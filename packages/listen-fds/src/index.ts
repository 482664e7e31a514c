/**
 * sd_listen_fds(3) for Node: the sockets that the service manager opened, as objects that Node's servers take
 * as they are.
 *
 * @module
 */
export { type FdFamily } from './descriptor-facts.js'
export { ListenFdsError, type ListenFdsErrorCode, type ListenFdsErrorDetails } from './errors.js'
export { type FdKind } from './fd-kind.js'
export { type InheritedFd } from './inherited-fd.js'
export { LISTEN_FDS_START } from './listen-environment.js'
export { listenFds, type ListenFdsOptions } from './listen-fds.js'
