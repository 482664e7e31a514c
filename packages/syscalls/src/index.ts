/**
 * The Linux system calls that Node does not offer. It knows sockets and descriptors, and nothing of
 * systemd's protocols.
 *
 * @module
 */
export { bindSocket, type BindOptions } from './bind-socket.js'
export {
  type ReceivedMessage,
  type MessageReceiver,
  type ReceiveOptions,
} from './message-receiver.js'
export { DatagramSocket, type Credentials, type SendOptions } from './datagram-socket.js'
export {
  closeFd,
  closeForeignFds,
  isCloexec,
  isNonBlocking,
  pidfdId,
  pidfdOpen,
  pipe,
  setCloexec,
  setNonBlocking,
} from './fd.js'
export { FdWatcher, type Interest, type Readiness } from './fd-watcher.js'
export { formatSocketAddress, type SocketAddress } from './socket-address.js'
export { ownSocketFile, removeStaleSocketFile } from './socket-file.js'
export { describeSocket, type SocketFacts } from './socket-facts.js'
export { type SystemError } from './system-error.js'
