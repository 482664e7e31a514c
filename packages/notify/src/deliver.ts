import {
  type Connection,
  DatagramSocket,
  type MessageReceiver,
  type SocketAddress,
} from '@sdbridge/syscalls'

/**
 * Sends one notification from a socket of its own, as libsystemd does over vsock: as a datagram, or over a connection. There it
 * sends all of it, says that this was all, and waits until the receiver closes: by that it says that it has the message.
 * The socket stays the caller's.
 *
 * @throws What the system says; an error with `code` `EPROTO` if the receiver sends something.
 */
export async function deliver(
  socket: DatagramSocket | Connection,
  address: SocketAddress,
  data: Uint8Array,
): Promise<void> {
  const rest = new Rest(socket, address, data)
  if (!(socket instanceof DatagramSocket)) await socket.connect(address)
  while (!rest.trySend()) await new Promise<void>((resolve) => socket.onceWritable(resolve))
  if (socket instanceof DatagramSocket) return
  socket.endSending()
  await new Promise<void>((resolve, reject) => receiveEnd(socket, resolve, reject))
}

/**
 * The same without the event loop: looks again and again, and sleeps a little in between.
 *
 * @throws Also an error with `code` `ETIMEDOUT` after so long; the receiver may have the message by then.
 */
export function deliverSync(
  socket: DatagramSocket | Connection,
  address: SocketAddress,
  data: Uint8Array,
  timeoutMs: number,
): void {
  const deadline = performance.now() + timeoutMs
  const rest = new Rest(socket, address, data)
  if (!(socket instanceof DatagramSocket)) sleepUntil(deadline, () => socket.tryConnect(address))
  sleepUntil(deadline, () => rest.trySend())
  if (socket instanceof DatagramSocket) return
  socket.endSending()
  const end: { reached?: true; error?: unknown } = {}
  const receiver = receiveEnd(
    socket,
    () => (end.reached = true),
    (error) => (end.error ??= error),
  )
  sleepUntil(deadline, () => {
    receiver.readBatch()
    if (end.error !== undefined) throw end.error
    return end.reached === true
  })
}

const LONGEST_PAUSE_MS = 16
const PAUSE = new Int32Array(new SharedArrayBuffer(4))

/** What is still to be sent. A stream takes as many bytes as there is room for; all others take all or nothing. */
class Rest {
  readonly #socket: DatagramSocket | Connection
  readonly #address: SocketAddress
  #data: Uint8Array

  constructor(socket: DatagramSocket | Connection, address: SocketAddress, data: Uint8Array) {
    this.#socket = socket
    this.#address = address
    this.#data = data
  }

  /** @returns `true` when all is sent; `false` if there is no more room now. */
  trySend(): boolean {
    if (this.#socket instanceof DatagramSocket) {
      return this.#socket.trySend(this.#data, { address: this.#address })
    }
    do {
      const sent = this.#socket.trySend(this.#data)
      if (sent === undefined) return false
      this.#data = this.#data.subarray(sent)
    } while (this.#data.length > 0)
    return true
  }
}

function sleepUntil(deadline: number, isDone: () => boolean): void {
  for (let pauseMs = 1; !isDone(); pauseMs *= 2) {
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) throw timedOut()
    Atomics.wait(PAUSE, 0, 0, Math.min(pauseMs, LONGEST_PAUSE_MS, leftMs))
  }
}

function receiveEnd(
  connection: Connection,
  onEnd: () => void,
  onError: (error: unknown) => void,
): MessageReceiver {
  // The first of what it hears counts.
  return connection.receive({
    onMessages: () => onError(unexpectedData()),
    onEnd,
    onError,
    maxBytes: 1,
  })
}

function unexpectedData(): Error {
  const error = new Error('EPROTO: protocol error, the receiver answered and was only to close')
  return Object.assign(error, { code: 'EPROTO', errno: -71, syscall: 'recvmsg' })
}

function timedOut(): Error {
  const error = new Error(
    'ETIMEDOUT: the receiver has not taken the notification for all that time',
  )
  return Object.assign(error, { code: 'ETIMEDOUT' })
}
