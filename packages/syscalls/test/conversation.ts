import { onTestFinished } from 'vitest'
import {
  bindSocket,
  closeForeignFds,
  type Connection,
  ConnectionListener,
  connectSocket,
  type ConnectionType,
  type MessageReceiver,
  type ReceivedMessage,
  type ReceiveOptions,
  type SocketAddress,
} from '../src/index.js'

/** One end of a connection for one test, which keeps what it receives and closes with the test. */
export class Conversation {
  readonly connection: Connection
  readonly receiver: MessageReceiver
  readonly messages: ReceivedMessage[] = []
  readonly errors: NodeJS.ErrnoException[] = []
  batches = 0
  ends = 0
  onMessage: () => void = () => {}

  constructor(connection: Connection, options: Partial<ReceiveOptions> = {}) {
    this.connection = connection
    this.receiver = connection.receive({
      onMessages: (batch) => {
        this.batches++
        this.messages.push(...batch)
        this.onMessage()
      },
      onEnd: () => this.ends++,
      onError: (error) => this.errors.push(error),
      ...options,
    })
    onTestFinished(() => {
      connection.close()
      closeForeignFds(this.messages.flatMap(({ fds }) => fds))
    })
  }

  get text(): string {
    return this.messages.map(({ data }) => data.toString()).join('')
  }

  get bytes(): number {
    return this.messages.reduce((sum, { data }) => sum + data.length, 0)
  }
}

let names = 0

/** An abstract name that nobody has. */
export function freeAddress(): SocketAddress {
  return { family: 'unix', abstract: Buffer.from(`sdbridge-test-${process.pid}-${names++}`) }
}

/** Accepts one connection, on an address or on a listening descriptor, which it takes over. */
export async function acceptOne(
  type: ConnectionType,
  where: SocketAddress | number,
  options?: Partial<ReceiveOptions>,
): Promise<Conversation> {
  const { server } = listenForOne(type, where, options)
  return await server
}

/** Two ends of a new connection. */
export async function connectedPair(
  type: ConnectionType,
  options?: Partial<ReceiveOptions>,
): Promise<{ client: Conversation; server: Conversation; listener: ConnectionListener }> {
  const address = freeAddress()
  const { listener, server } = listenForOne(type, address, options)
  const client = new Conversation(await connectSocket({ type, address }))
  return { client, server: await server, listener }
}

function listenForOne(
  type: ConnectionType,
  where: SocketAddress | number,
  options?: Partial<ReceiveOptions>,
): { listener: ConnectionListener; server: Promise<Conversation> } {
  const fd = typeof where === 'number' ? where : bindSocket({ type, address: where })
  let deliver: (connection: Connection) => void
  let fail: (error: Error) => void
  const server = new Promise<Conversation>((resolve, reject) => {
    deliver = (connection) => resolve(new Conversation(connection, options))
    fail = reject
  })
  const listener = new ConnectionListener(fd, {
    onConnection: (connection) => deliver(connection),
    onError: (error) => fail(error),
  })
  onTestFinished(() => listener.close())
  return { listener, server }
}
