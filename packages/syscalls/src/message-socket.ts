import type { MessageFamily } from './adopt-socket.js'
import { fdArray } from './fd.js'
import { MessageEndpoint } from './message-endpoint.js'
import { type EndTest, MessageReceiver, type ReceiveOptions } from './message-receiver.js'
import { native } from './native.js'
import { formatSocketAddress, type SocketAddress } from './socket-address.js'
import { check, EAGAIN, invalid } from './system-error.js'

/** The sender that a message claims to come from; the kernel checks the claim (unix(7)). */
export interface Credentials {
  pid: number
  uid: number
  gid: number
}

/** What goes with a message. */
export interface Ancillary {
  /** Descriptors that travel with the message, at most 253. Borrowed: they stay open and the caller's. */
  fds?: readonly number[]
  /** Claims another sender. Root only: `EPERM` otherwise, and `ESRCH` if there is no such process. */
  credentials?: Credentials
}

/** What the sockets of this package have in common. */
export abstract class MessageSocket extends MessageEndpoint {
  readonly #carriesFds: boolean

  protected constructor(fd: number, family: MessageFamily = 'unix') {
    super(fd)
    this.#carriesFds = family === 'unix'
  }

  /**
   * Closes the socket: at once if there is nothing to read from it. Messages in the queue of a unix socket may carry
   * descriptors that block when they are closed (see {@link closeForeignFds}), so then, and when the other end has closed, it
   * ends a moment later, on a thread. `fd` is -1 at once: the number is not the caller's to close.
   * No callback comes after this returns. Closing twice is harmless.
   */
  override close(): void {
    super.close()
  }

  /** Returns what sendmsg(2) does, or `EAGAIN`. */
  protected send(
    data: Uint8Array,
    address: Uint8Array | undefined,
    { fds, credentials }: Ancillary,
    subject?: SocketAddress,
  ): number {
    // Each argument costs a call of Node-API, and nearly all messages are payload alone.
    const plain = address === undefined && fds === undefined && credentials === undefined
    const result = plain
      ? native().send(this.fd, data)
      : native().send(
          this.fd,
          data,
          address,
          fds && fdArray(fds),
          credentials && credentialsArray(credentials),
        )
    if (result >= 0 || result === EAGAIN) return result
    return check(result, 'sendmsg', subject && formatSocketAddress(subject))
  }

  protected startReceiving(options: ReceiveOptions, endsAt?: EndTest): MessageReceiver {
    return this.startWith(
      'recvmsg',
      (onResume) => new MessageReceiver(this.fd, options, onResume, endsAt),
    )
  }

  protected override closeFd(fd: number): void {
    if (this.#carriesFds) native().closeSocket(fd)
    else native().close(fd)
  }
}

function credentialsArray({ pid, uid, gid }: Credentials): Int32Array {
  for (const id of [pid, uid, gid]) {
    if (!Number.isInteger(id) || id < 0 || id > 0xffff_ffff) {
      throw invalid(`not a process, user or group id: ${String(id)}`)
    }
  }
  return Int32Array.of(pid, uid, gid)
}
