import { DatagramSocket, type SocketAddress } from '@sdbridge/syscalls'
import type { NotifyAddress } from './address.js'
import type { Outgoing, Outlet } from './transport.js'

// libsystemd asks for as much; with less, our own buffer is full before the manager's queue is.
const SEND_BUFFER_BYTES = 8 * 1024 * 1024

/** The manager's socket was replaced since we connected: a new connection reaches the new one. */
const STALE = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTCONN'])

export type UnixAddress = Exclude<NotifyAddress, { kind: 'vsock' }>

/** Opens the way to a service manager on this machine. */
export function openUnix(address: UnixAddress): UnixOutlet {
  return new UnixOutlet(
    address.kind === 'unix-path'
      ? { family: 'unix', path: address.path }
      : { family: 'unix', abstract: Buffer.from(address.name) },
  )
}

/** A unix datagram socket of the addon, connected once and kept. */
export class UnixOutlet implements Outlet {
  readonly carriesFds = true
  readonly carriesCredentials = true
  readonly #address: SocketAddress
  #socket: DatagramSocket | undefined
  #keepsAlive = true

  constructor(address: SocketAddress) {
    this.#address = address
  }

  trySend(message: Outgoing): boolean {
    const fresh = this.#socket === undefined
    const socket = (this.#socket ??= this.#connect())
    try {
      return socket.trySend(message.data, ancillaryOf(message))
    } catch (error) {
      if (fresh || !STALE.has((error as NodeJS.ErrnoException).code ?? '')) throw error
      this.close()
      return this.trySend(message)
    }
  }

  /**
   * Sends notifications of text alone, in order, as far as there is room; what stands in the way is told by {@link trySend} of
   * the next one.
   *
   * @param payloads The memory that they are in.
   * @param ranges For each, where it begins and how many bytes it has.
   * @returns How many were sent.
   */
  trySendBatch(payloads: Uint8Array, ranges: Int32Array): number {
    return this.#socket?.trySendBatch(payloads, ranges) ?? 0
  }

  onceRoom(callback: (() => void) | undefined): void {
    this.#socket?.onceWritable(callback)
  }

  keepAlive(on: boolean): void {
    if (this.#keepsAlive === on) return
    this.#keepsAlive = on
    if (on) this.#socket?.ref()
    else this.#socket?.unref()
  }

  close(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  #connect(): DatagramSocket {
    const socket = new DatagramSocket('unix')
    try {
      socket.raiseSendBuffer(SEND_BUFFER_BYTES)
      socket.connect(this.#address)
      return this.#keepsAlive ? socket : socket.unref()
    } catch (error) {
      socket.close()
      throw error
    }
  }
}

// Nearly all messages are payload alone, and each argument costs a call of Node-API.
function ancillaryOf({ fds, credentials }: Outgoing): object | undefined {
  if (fds.length === 0 && credentials === undefined) return undefined
  return {
    ...(fds.length > 0 && { fds }),
    ...(credentials !== undefined && { credentials }),
  }
}
