import { type Connection, ConnectionListener, type ReceivedMessage } from '@sdbridge/syscalls'
import { encode } from './broker-message.js'

export interface BrokerServerOptions<Asker> {
  /** A listening SEQPACKET socket. Taken over. */
  readonly fd: number
  /** The longest packet that is taken. */
  readonly maxBytes: number
  /** Judges who is there, before anything is read. @throws Error that says why it may not ask. */
  readonly judge: (connection: Connection) => Asker
  /** Makes what takes its packets. */
  readonly converse: (connection: Connection, asker: Asker) => Conversation
  /** Somebody was refused. */
  readonly onRefused: (reason: string) => void
}

/** What is said on one connection. */
export interface Conversation {
  /**
   * Takes packets, and the descriptors that came with them.
   *
   * @returns Whether that is all; otherwise more are expected.
   * @throws Error that says why it is refused.
   */
  take(messages: readonly ReceivedMessage[]): boolean
  /** It is over, whoever has ended it: lets go of what it has taken, and has not passed on. */
  end(): void
}

const MOST_CONNECTIONS = 16
const PACKETS_MS = 10_000

/** Takes packets at a socket, from whoever may ask there; the others are sent away at once, so that they take up no room. */
export class BrokerServer<Asker> {
  readonly #options: BrokerServerOptions<Asker>
  readonly #listener: ConnectionListener
  readonly #connections = new Map<Connection, Conversation>()

  /** @throws TypeError, SystemError for what is no listening unix socket: it then stays the caller's. */
  constructor(options: BrokerServerOptions<Asker>) {
    this.#options = options
    this.#listener = new ConnectionListener(options.fd, {
      onConnection: (connection) => this.#take(connection),
      onError: (error) => options.onRefused(error.message),
    })
    this.#listener.unref()
  }

  close(): void {
    this.#listener.close()
    for (const connection of this.#connections.keys()) this.#end(connection)
  }

  #take(connection: Connection): void {
    const { converse, judge, maxBytes } = this.#options
    let asker: Asker
    try {
      asker = judge(connection)
    } catch (error) {
      this.#refuse(connection, error as Error)
      return connection.close()
    }
    if (this.#connections.size >= MOST_CONNECTIONS) return connection.close()
    const conversation = converse(connection, asker)
    this.#connections.set(connection, conversation)
    const timer = setTimeout(() => this.#end(connection), PACKETS_MS).unref()
    const over = (): void => {
      clearTimeout(timer)
      this.#end(connection)
    }
    connection.receive({
      maxBytes,
      onMessages: (messages) => {
        try {
          if (!conversation.take(messages)) return
        } catch (error) {
          this.#refuse(connection, error as Error)
        }
        over()
      },
      onEnd: over,
      onError: over,
    })
  }

  #refuse(connection: Connection, { message }: Error): void {
    this.#options.onRefused(message)
    try {
      connection.trySend(encode({ version: 1, error: message }))
    } catch {
      // It has gone.
    }
  }

  #end(connection: Connection): void {
    const conversation = this.#connections.get(connection)
    if (conversation === undefined) return
    this.#connections.delete(connection)
    conversation.end()
    connection.close()
  }
}
