/**
 * The Linux system calls that Node does not offer. It knows sockets, descriptors, processes and signals, and nothing
 * of systemd's protocols.
 *
 * @module
 */
export { adoptConnection } from './adopt-connection.js'
export { type MessageFamily } from './adopt-socket.js'
export { bindSocket, type BindOptions } from './bind-socket.js'
export { monotonicUsec } from './clock.js'
export {
  type Connection,
  connectSocket,
  type ConnectionType,
  type ConnectOptions,
  openConnection,
} from './connection.js'
export { ConnectionListener, type ConnectionListenerOptions } from './connection-listener.js'
export { DatagramSocket, type SendOptions } from './datagram-socket.js'
export { execve, type ExecveOptions } from './execve.js'
export {
  closeFd,
  closeForeignFds,
  duplicateFd,
  isCloexec,
  isNonBlocking,
  pipe,
  setCloexec,
  setNonBlocking,
} from './fd.js'
export { type DescriptorKind, kindOfFd } from './fd-kind.js'
export { FdWatcher, type Interest, type Readiness } from './fd-watcher.js'
export { type FileLimit, getFileLimit, setFileLimit, withSoftFileLimit } from './file-limit.js'
export { MessageQueue, type MessageQueueAttributes } from './message-queue.js'
export { MESSAGES_PER_BATCH } from './payload-memory.js'
export { type MessageReceiver, type ReceiveOptions } from './message-receiver.js'
export { type PlainMessages, type ReceivedMessage } from './message-records.js'
export { type PeekingReceiver, type PeekOptions } from './peeking-receiver.js'
export { type BatchReceiver } from './batch-receiver.js'
export { type MessageEndpoint } from './message-endpoint.js'
export { type Ancillary, type Credentials, type MessageSocket } from './message-socket.js'
export { type QueueMessage, type QueueOptions, type QueueReceiver } from './queue-receiver.js'
export { isSubreaper, OrphanReaper, setSubreaper } from './orphan-reaper.js'
export { listenBacklog } from './listen-backlog.js'
export { loadAddon } from './native.js'
export { openPidNamespace, pidFromNamespace, pidInNamespace } from './pid-namespace.js'
export { pidfdId, pidfdOpen, pidfdPid, sendSignal } from './pidfd.js'
export { isSameDescription } from './same-description.js'
export { type Signal, signalName, signalNumber } from './signal-number.js'
export { SignalWatcher } from './signal-watcher.js'
export { encodeSocketAddress, formatSocketAddress, type SocketAddress } from './socket-address.js'
export { ownSocketFile, removeStaleSocketFile } from './socket-file.js'
export {
  describeSocket,
  DOMAINS as SOCKET_DOMAINS,
  socketCookie,
  type SocketFacts,
  TYPES as SOCKET_TYPES,
} from './socket-facts.js'
export { socketName } from './socket-name.js'
export { bindPrivilegedPort } from './privileged-port.js'
export { RECORD_START_STATE, type StartState, startState } from './start-state.js'
export { type SystemError, systemError } from './system-error.js'
export { monotonicOffset } from './time-namespace.js'
export { type ExitStatus, waitForExit, type WaitForExitOptions } from './wait-for-exit.js'
