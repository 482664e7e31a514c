/**
 * sd_listen_fds(3) for Node: the sockets that the service manager opened, as objects that Node's servers take
 * as they are.
 *
 * @module
 */
export { AcceptedConnection, connection, type ConnectionOptions } from './accepted-connection.js'
export { type ListenFdsOptions } from './announced-fds.js'
export { ConnectionStream, type ConnectionStreamOptions } from './connection-stream.js'
export { type FdFamily } from './descriptor-facts.js'
export { ListenFdsError, type ListenFdsErrorCode, type ListenFdsErrorDetails } from './errors.js'
export { DeviceStream, type DeviceStreamOptions } from './device-stream.js'
export { type FdKind } from './fd-kind.js'
export { type InheritedFd } from './inherited-fd.js'
export { closeUnclaimedFds, takeFds, unclaimedFds } from './inventory.js'
export { isFifo } from './is-fifo.js'
export { isMq } from './is-mq.js'
export { isSocket, type IsSocketOptions } from './is-socket.js'
export { isSocketInet, type IsSocketInetOptions } from './is-socket-inet.js'
export {
  type InetSocketAddress,
  isSocketSockaddr,
  type IsSocketSockaddrOptions,
} from './is-socket-sockaddr.js'
export { isSocketUnix, type IsSocketUnixOptions } from './is-socket-unix.js'
export { isSpecial } from './is-special.js'
export { LISTEN_FDS_START } from './listen-environment.js'
export { listenFds } from './listen-fds.js'
export { listenOrBind, type ListeningOn, type ListenOrBindOptions } from './listen-or-bind.js'
export { type OpenStreamOptions } from './open-stream.js'
export { serveOn, type ServedListener } from './serve-on.js'
export { standardInput } from './standard-input.js'
export {
  type Ancillary,
  type Connection,
  type ConnectionListener,
  type ConnectionListenerOptions,
  type Credentials,
  type DatagramSocket,
  type MessageQueue,
  type MessageReceiver,
  type ReceivedMessage,
  type ReceiveOptions,
  type SocketAddress,
  type SystemError,
} from '@sdbridge/syscalls'
export { type SocketQuestion, type SocketType } from './socket-question.js'
