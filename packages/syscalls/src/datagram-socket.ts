import type { MessageReceiver, ReceiveOptions } from './message-receiver.js'
import { type Ancillary, MessageSocket } from './message-socket.js'
import { native } from './native.js'
import { passCredentials } from './pass-credentials.js'
import { withReachablePath } from './reachable-path.js'
import { encodeSocketAddress, formatSocketAddress, type SocketAddress } from './socket-address.js'
import { DOMAINS, SOL_SOCKET, TYPES } from './socket-facts.js'
import { check, EAGAIN } from './system-error.js'

export interface SendOptions extends Ancillary {
  /** Where to; needed on a socket that is not connected. */
  address?: SocketAddress
}

const SO_SNDBUF = 7
const SO_SNDBUFFORCE = 32

/** An AF_UNIX or AF_VSOCK datagram socket. */
export class DatagramSocket extends MessageSocket {
  #peer: SocketAddress | undefined

  /** @throws SystemError, such as `ENODEV` or `EAFNOSUPPORT` for vsock on a kernel without it. */
  constructor(family: 'unix' | 'vsock') {
    super(check(native().socket(DOMAINS[family], TYPES.dgram, 0, 1), 'socket', family), family)
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

  /** Starts to deliver what arrives, once in the socket's life. */
  receive(options: ReceiveOptions): MessageReceiver {
    return this.startReceiving(options)
  }
}
