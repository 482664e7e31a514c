import { adoptSocket, expectSocket, type MessageFamily } from './adopt-socket.js'
import type { MessageReceiver, ReceiveOptions } from './message-receiver.js'
import { type Ancillary, MessageSocket } from './message-socket.js'
import { native } from './native.js'
import { passCredentials } from './pass-credentials.js'
import { PeekingReceiver, type PeekOptions } from './peeking-receiver.js'
import { withReachablePath } from './reachable-path.js'
import {
  AF_NETLINK,
  encodeSocketAddress,
  formatSocketAddress,
  type SocketAddress,
} from './socket-address.js'
import { DOMAINS, SOL_SOCKET, type SocketFacts, TYPES } from './socket-facts.js'
import { check, EAGAIN } from './system-error.js'

export interface SendOptions extends Ancillary {
  /** Where to; needed on a socket that is not connected. */
  address?: SocketAddress
}

const SO_SNDBUF = 7
const SO_SNDBUFFORCE = 32

/** An AF_UNIX or AF_VSOCK datagram socket; one of AF_NETLINK only if it was inherited. */
export class DatagramSocket extends MessageSocket {
  #peer: SocketAddress | undefined

  /** @throws SystemError, such as `ENODEV` or `EAFNOSUPPORT` for vsock on a kernel without it. */
  constructor(family: 'unix' | 'vsock')
  /** Takes over what {@link DatagramSocket.adopt} has looked at. */
  constructor(family: MessageFamily, fd: number)
  constructor(family: MessageFamily, fd = open(family as 'unix' | 'vsock')) {
    super(fd, family)
  }

  /**
   * Makes one of a socket that was inherited: a unix or vsock datagram socket, or a netlink one (whose address is
   * `{ family: 16, bytes }`, a `sockaddr_nl` of netlink(7)).
   *
   * Whoever sends from then on is named in what is received over unix and netlink. Who sent before is not known (then pid 0), unless
   * SO_PASSCRED was on.
   *
   * @param fd Taken over, close-on-exec and non-blocking: `close` closes it, and so does the end of this thread.
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for anything else; SystemError. It then stays the caller's.
   */
  static adopt(fd: number): DatagramSocket {
    const expected = 'unix or vsock datagram or netlink socket'
    const { family, peerAddress } = expectSocket(fd, expected, datagramKind)
    adoptSocket(fd, family)
    const socket = new DatagramSocket(family, fd)
    socket.#peer = peerAddress
    return socket
  }

  /** Gives the socket an address; `{ family: 'unix' }` lets the kernel choose a free abstract name. */
  bind(address: SocketAddress): void {
    passCredentials(this.fd)
    withReachablePath(address, 'bind', (reachable) =>
      check(
        native().bind(this.fd, encodeSocketAddress(reachable)),
        'bind',
        formatSocketAddress(address),
      ),
    )
  }

  /** Fixes where messages go, so that each needs no look-up of its own. */
  connect(address: SocketAddress): void {
    withReachablePath(address, 'connect', (reachable) =>
      check(
        native().connect(this.fd, encodeSocketAddress(reachable)),
        'connect',
        formatSocketAddress(address),
      ),
    )
    this.#peer = address
  }

  /** Asks for a larger send buffer, in bytes. The system grants what it allows; refusal is no error. */
  raiseSendBuffer(bytes: number): void {
    const current = new Int32Array(1)
    check(native().getsockopt(this.fd, SOL_SOCKET, SO_SNDBUF, current), 'getsockopt')
    // The kernel doubles what it is asked for, to have room for its own records, and reports that.
    if (current[0]! >= 2 * bytes) return
    native().setsockopt(this.fd, SOL_SOCKET, SO_SNDBUF, bytes)
    native().setsockopt(this.fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes)
  }

  /**
   * Sends one message without waiting.
   *
   * @returns `false` if the receiver's queue (or our send buffer) is full: nothing was sent, try again when `onceWritable`
   *   calls. A socket that is not connected has no such receiver: there it waits for our own send buffer only.
   * @throws SystemError, such as `ECONNREFUSED` (nobody has this address), `EMSGSIZE`, `EPERM`.
   */
  trySend(data: Uint8Array, options: SendOptions = {}): boolean {
    const { address } = options
    if (address === undefined) return this.send(data, undefined, options, this.#peer) !== EAGAIN
    return withReachablePath(
      address,
      'connect',
      (reachable) => this.send(data, encodeSocketAddress(reachable), options, address) !== EAGAIN,
    )
  }

  /**
   * Sends messages of payload alone on a connected socket, in order and without waiting, with one call into the addon for all.
   *
   * @param payloads The memory that they are in.
   * @param ranges For each message, where it begins and how many bytes it has.
   * @returns How many were sent. The next one could not be: `trySend` of it tells why.
   */
  trySendBatch(payloads: Uint8Array, ranges: Int32Array): number {
    return Math.max(0, native().sendBatch(this.fd, payloads, ranges))
  }

  /** Starts to deliver what arrives, once in the socket's life. */
  receive(options: ReceiveOptions): MessageReceiver {
    return this.startReceiving(options)
  }

  /** The same, with each message in the kernel's queue until it has been dealt with. For unix sockets. */
  peek(options: PeekOptions): PeekingReceiver {
    return this.startWith('recvmsg', (onResume) => new PeekingReceiver(this.fd, options, onResume))
  }
}

function open(family: 'unix' | 'vsock'): number {
  return check(native().socket(DOMAINS[family], TYPES.dgram, 0, 1), 'socket', family)
}

function datagramKind({
  domain,
  peerAddress,
  type,
}: SocketFacts): { family: MessageFamily; peerAddress: SocketAddress | undefined } | undefined {
  if (domain === AF_NETLINK) return { family: 'netlink', peerAddress }
  if (type !== 'dgram' || (domain !== 'unix' && domain !== 'vsock')) return undefined
  return { family: domain, peerAddress }
}
