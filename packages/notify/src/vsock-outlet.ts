import {
  bindPrivilegedPort,
  type Connection,
  DatagramSocket,
  openConnection,
  type SocketAddress,
  type SystemError,
} from '@sdbridge/syscalls'
import type { NotifyAddress } from './address.js'
import { deliver, deliverSync } from './deliver.js'
import type { Outgoing, Outlet } from './transport.js'

export type VsockAddress = Extract<NotifyAddress, { kind: 'vsock' }>

/** Opens the way to a service manager on the other side of a virtual machine's border. */
export function openVsock(address: VsockAddress): Outlet {
  return new VsockOutlet(address)
}

/**
 * AF_VSOCK sockets of the addon, as libsystemd uses them: a socket for each notification, of the first type that the kernel
 * has, from a port that shows that the sender is privileged, if it is. They carry neither descriptors nor credentials.
 *
 * A notification on its way keeps the process alive. It is a promise that waits for it, so nothing else here waits for room.
 */
class VsockOutlet implements Outlet {
  readonly carriesFds = false
  readonly carriesCredentials = false
  readonly #type: VsockAddress['type']
  readonly #address: SocketAddress

  constructor({ type, cid, port }: VsockAddress) {
    this.#type = type
    this.#address = { family: 'vsock', cid, port }
  }

  async trySend({ data }: Outgoing): Promise<void> {
    const socket = openSocket(this.#type)
    try {
      await deliver(socket, this.#address, data)
    } finally {
      socket.close()
    }
  }

  sendSync({ data }: Outgoing, timeoutMs: number): void {
    const socket = openSocket(this.#type)
    try {
      deliverSync(socket, this.#address, data, timeoutMs)
    } finally {
      socket.close()
    }
  }

  onceRoom(): void {}

  keepAlive(): void {}

  close(): void {}
}

/** EOPNOTSUPP, ENOTTY, ENOSYS, EAFNOSUPPORT, EPFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, ENOPROTOOPT */
const NOT_SUPPORTED = [-95, -25, -38, -97, -96, -93, -94, -92]
/** No transport has datagrams: neither virtio, which QEMU and Firecracker have, nor the loopback. */
const ENODEV = -19

function openSocket(type: VsockAddress['type']): DatagramSocket | Connection {
  const socket = type === 'auto' ? openFirst() : open(type)
  try {
    bindPrivilegedPort(socket.fd)
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

function openFirst(): DatagramSocket | Connection {
  return (
    openUnless([...NOT_SUPPORTED, ENODEV], 'dgram') ??
    openUnless(NOT_SUPPORTED, 'seqpacket') ??
    open('stream')
  )
}

function openUnless(
  errors: readonly number[],
  type: 'dgram' | 'seqpacket',
): DatagramSocket | Connection | undefined {
  try {
    return open(type)
  } catch (error) {
    if (errors.includes((error as SystemError).errno)) return undefined
    throw error
  }
}

function open(type: 'dgram' | 'seqpacket' | 'stream'): DatagramSocket | Connection {
  return type === 'dgram' ? new DatagramSocket('vsock') : openConnection('vsock', type)
}
