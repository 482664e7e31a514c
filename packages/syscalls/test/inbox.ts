import { onTestFinished } from 'vitest'
import {
  closeForeignFds,
  type ReceivedMessage,
  type MessageReceiver,
  DatagramSocket,
  describeSocket,
  type ReceiveOptions,
  type SocketAddress,
} from '../src/index.js'

/** A bound socket for one test that keeps what it receives. It closes, with all descriptors that came. */
export class Inbox {
  readonly socket: DatagramSocket = openSocket()
  readonly address: SocketAddress
  readonly receiver: MessageReceiver
  readonly datagrams: ReceivedMessage[] = []
  readonly errors: NodeJS.ErrnoException[] = []
  /** How many datagrams each call of `onMessages` brought. */
  readonly batches: number[] = []

  /** Without an address, the kernel chooses a free abstract name. */
  constructor(options: Partial<ReceiveOptions> = {}, address: SocketAddress = { family: 'unix' }) {
    this.socket.bind(address)
    this.address = describeSocket(this.socket.fd)!.localAddress
    this.receiver = this.socket.receive({
      onMessages: (batch) => {
        this.batches.push(batch.length)
        this.datagrams.push(...batch)
      },
      onError: (error) => this.errors.push(error),
      ...options,
    })
    onTestFinished(() => {
      closeForeignFds(this.datagrams.flatMap(({ fds, pidfd }) => [...fds, pidfd ?? []].flat()))
    })
  }

  /** The payloads so far, as text. */
  get texts(): string[] {
    return this.datagrams.map(({ data }) => data.toString())
  }

  /** Waits until so many datagrams have arrived. */
  async until(count: number): Promise<ReceivedMessage[]> {
    await until(() => this.datagrams.length >= count)
    return this.datagrams
  }
}

/** A socket that closes with the test. */
export function openSocket(): DatagramSocket {
  const socket = new DatagramSocket('unix')
  onTestFinished(() => socket.close())
  return socket
}

/** A socket that is connected to `address` and closes with the test. */
export function openSender(address: SocketAddress): DatagramSocket {
  const socket = openSocket()
  socket.connect(address)
  return socket
}

/** Fills the queue of the receiver that `socket` is connected to; returns how many messages that took. */
export function fillQueue(socket: DatagramSocket): number {
  let sent = 0
  while (socket.trySend(Buffer.from(`${sent}`))) sent++
  return sent
}

/** Waits until a condition holds; the test's time limit is the only one. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await tick()
}

/** One turn of the event loop, in which it also looks at its timers and descriptors. */
export async function tick(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1))
}
