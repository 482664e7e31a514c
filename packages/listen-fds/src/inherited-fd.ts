import { closeSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import {
  adoptConnection,
  type Connection,
  ConnectionListener,
  type ConnectionListenerOptions,
  DatagramSocket,
  duplicateFd,
  MessageQueue,
} from '@sdbridge/syscalls'
import type { DescriptorFacts, FdFamily } from './descriptor-facts.js'
import { ListenFdsError } from './errors.js'
import type { FdKind } from './fd-kind.js'
import { fdIdentity } from './fd-stats.js'
import { openStream, type OpenStreamOptions } from './open-stream.js'

type Kinds = readonly [FdKind, ...FdKind[]]

/**
 * A descriptor that the service manager passed. It goes as it is into `server.listen()` (node:net, tls,
 * http, https, http2), `socket.bind()` of node:dgram and `new net.Socket()`.
 *
 * The caller owns the descriptor; whatever it is handed to closes it. Close a listening socket, but never
 * shut it down: the service manager's copy would die with it (sd_listen_fds(3)).
 */
export class InheritedFd {
  // Node reads these objects as options, some of its functions from a copy: so `fd` is a field of its own,
  // no field is called handle, port, host, path, signal, exclusive, readable, ..., and `address` is a string,
  // or TypeScript would not let the object into dgram's bind().

  /** The descriptor's number, from 3 on. */
  readonly fd: number
  /**
   * What the unit calls it: `FileDescriptorName=` of the .socket unit (its default is the unit's name, and
   * `connection` for `Accept=yes`), the name in `OpenFile=`, the `FDNAME=` of a stored one, or `unknown`.
   * Several can have the same.
   */
  readonly name: string
  /** What it is, and so what can drive it. */
  readonly kind: FdKind
  /** The address family of a socket; `undefined` for anything else. */
  readonly family: FdFamily | undefined
  /** Whether it is a socket that accepts connections. */
  readonly listening: boolean
  /**
   * Where a socket is bound, as systemd writes it: `127.0.0.1:80`, `[::1]:80`, `/run/web.sock`, `@abstract`,
   * `vsock:CID:PORT`; `undefined` if it has no address. After adoption `server.address()` is null for a
   * unix socket, this is not.
   */
  readonly address: string | undefined
  readonly #facts: DescriptorFacts
  readonly #identity: string | undefined
  #isHandedOver = false

  /** Made by `listenFds` and the functions beside it. @hidden */
  constructor(fd: number, name: string, facts: DescriptorFacts) {
    this.#facts = facts
    this.#identity = fdIdentity(fd)
    this.fd = fd
    this.name = name
    this.kind = facts.kind
    this.family = facts.family
    this.listening = facts.listening
    this.address = facts.address
  }

  /**
   * Returns this descriptor if it is of (one of) the given kind(s): `server.listen(web.expect('tcp-listener'))`.
   * Node itself would report a wrong one as a mere `EINVAL`, or take it and fail later.
   *
   * @throws ListenFdsError `ERR_LISTEN_FDS_WRONG_KIND`, which names the descriptor, what was expected and
   *   what was found, and the .socket setting that opens the expected kind.
   */
  expect(...kinds: readonly [FdKind, ...FdKind[]]): this {
    if (kinds.includes(this.kind)) return this
    const { fd, name, kind: found } = this
    const settings = [...new Set(kinds.flatMap((kind) => SETTINGS[kind] ?? []))]
    const advice =
      settings.length > 0 ? `; in the .socket unit, ${settings.join(' or ')} opens one` : ''
    const message =
      `descriptor ${fd} (${JSON.stringify(name)}): expected ${kinds.join(' or ')}, ` +
      `found ${found}${advice}`
    const details = { fd, fdName: name, expected: kinds, found }
    throw new ListenFdsError('ERR_LISTEN_FDS_WRONG_KIND', message, details)
  }

  /**
   * Makes a socket of messages, which sends and receives, with the senders' credentials and addresses, and with descriptors over unix.
   *
   * - Unit file: `ListenDatagram=/PATH`, `ListenDatagram=vsock-dgram:CID:PORT`, `ListenNetlink=`. `PassCredentials=yes` names those
   *   too who sent before the service was there. For UDP there is node:dgram.
   *
   * @throws ListenFdsError `ERR_LISTEN_FDS_WRONG_KIND`, `ERR_LISTEN_FDS_HANDED_OVER`; SystemError.
   */
  openDatagramSocket(): DatagramSocket {
    return this.#handOverTo(DATAGRAM_KINDS, (fd) => DatagramSocket.adopt(fd))
  }

  /**
   * Accepts connections of a kind that `node:net` does not know; or those of a unix stream socket, to see who connects (`peer`)
   * and to be sent descriptors.
   *
   * - Unit file: `ListenSequentialPacket=/PATH`, `ListenStream=vsock:CID:PORT`, `ListenStream=/PATH`, with `Accept=no`.
   *
   * @throws As `openDatagramSocket`.
   */
  openListener(options: ConnectionListenerOptions): ConnectionListener {
    return this.#handOverTo(LISTENER_KINDS, (fd) => new ConnectionListener(fd, options))
  }

  /**
   * Makes a connection of what `Accept=yes` passes for `ListenSequentialPacket=`, or of a unix or vsock stream.
   *
   * @throws As `openDatagramSocket`.
   */
  openConnection(): Connection {
    return this.#handOverTo(CONNECTION_KINDS, (fd) => adoptConnection(fd))
  }

  /**
   * Makes a POSIX message queue, which receives messages with their priorities. systemd opens it for receiving only.
   *
   * - Unit file: `ListenMessageQueue=/NAME`.
   *
   * @throws As `openDatagramSocket`.
   */
  openMessageQueue(): MessageQueue {
    return this.#handOverTo(['message-queue'], (fd) => new MessageQueue(fd))
  }

  /**
   * Makes a stream that reads and writes, as far as the descriptor was opened for it: a `net.Socket`, or for devices, files and vsock one that
   * behaves like it. Errors are `'error'` events.
   *
   * - Unit file: `ListenFIFO=`, whose stream never ends; `ListenSpecial=`, `OpenFile=`; `Accept=yes` for `ListenStream=`.
   *
   * @throws As `openDatagramSocket`.
   */
  openStream(options?: OpenStreamOptions): Duplex {
    return this.#handOverTo(STREAM_KINDS, (fd) => openStream(fd, this.kind, options))
  }

  /**
   * Makes a second descriptor of the same socket or file (dup(2)), close-on-exec and the caller's as well, such as one for each Worker that
   * serves on it: what adopts a descriptor closes it, and one that two have adopted would be closed twice.
   *
   * @throws SystemError `EMFILE`; Error `ERR_SYSCALLS_UNAVAILABLE`.
   */
  duplicate(): InheritedFd {
    this.#checkThatIsOwned()
    return new InheritedFd(duplicateFd(this.fd), this.name, this.#facts)
  }

  /**
   * Closes a descriptor that nothing was made of. The manager's own copy of a listening socket stays open. Does nothing if it is
   * closed already, if one of the `open…` methods or `listenOrBind` has handed it over, or if its number means something else
   * by now; but what Node was given as `server.listen(inherited)` belongs to the server: close that.
   */
  close(): void {
    if (this.#isHandedOver) return
    this.#isHandedOver = true
    if (fdIdentity(this.fd) === this.#identity) closeSync(this.fd)
  }

  // Where `open` fails, the descriptor stays what it was.
  #handOverTo<Opened>(kinds: Kinds, open: (fd: number) => Opened): Opened {
    this.expect(...kinds).#checkThatIsOwned()
    const opened = open(this.fd)
    this.#isHandedOver = true
    return opened
  }

  /**
   * Says that something else closes the descriptor from now on, and gives its number.
   *
   * @throws ListenFdsError `ERR_LISTEN_FDS_HANDED_OVER` if that was said before, or if it was closed.
   */
  handOver(): number {
    this.#checkThatIsOwned()
    this.#isHandedOver = true
    return this.fd
  }

  #checkThatIsOwned(): void {
    const { fd, name } = this
    if (!this.#isHandedOver && fdIdentity(fd) === this.#identity) return
    throw new ListenFdsError(
      'ERR_LISTEN_FDS_HANDED_OVER',
      `descriptor ${fd} (${JSON.stringify(name)}) is closed, or belongs to what was made of it before; ` +
        'duplicate() gives a second one of the same socket',
      { fd, fdName: name },
    )
  }
}

const DATAGRAM_KINDS: Kinds = ['unix-datagram', 'vsock-datagram', 'netlink']
const LISTENER_KINDS: Kinds = ['seqpacket-listener', 'vsock-listener', 'unix-listener']
const STREAM_KINDS: Kinds = ['fifo', 'special', 'connection', 'vsock-connection']
const CONNECTION_KINDS: Kinds = ['seqpacket-connection', 'vsock-connection', 'connection']

// systemd.socket(5)
const SETTINGS: Partial<Record<FdKind, string>> = {
  'tcp-listener': 'ListenStream=PORT',
  'unix-listener': 'ListenStream=/PATH',
  connection: 'Accept=yes',
  udp: 'ListenDatagram=PORT',
  'unix-datagram': 'ListenDatagram=/PATH',
  'seqpacket-listener': 'ListenSequentialPacket=/PATH',
  'vsock-listener': 'ListenStream=vsock:CID:PORT',
  netlink: 'ListenNetlink=FAMILY',
  fifo: 'ListenFIFO=/PATH',
  special: 'ListenSpecial=/PATH',
  'message-queue': 'ListenMessageQueue=/NAME',
}
