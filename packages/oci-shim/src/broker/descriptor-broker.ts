import { timingSafeEqual } from 'node:crypto'
import {
  bindSocket,
  closeForeignFds,
  type Connection,
  ConnectionListener,
  type ReceivedMessage,
} from '@sdbridge/syscalls'
import { type AskerRule, whyNot } from './asker.js'
import { type Answer, decodeQuestion, encode, MOST_IN_PACKET } from './broker-message.js'

export interface BrokerOptions {
  /** Where to listen: in a directory of ours, 0700. */
  readonly path: string
  /** What whoever asks has to know. */
  readonly id: string
  readonly rule: AskerRule
  readonly fds: readonly number[]
  readonly names: readonly string[]
  /** The descriptors have been handed over, once and for all. */
  readonly onHandedOver: () => void
  /** Somebody was refused. */
  readonly onRefused: (reason: string) => void
}

const MOST_CONNECTIONS = 16
const QUESTION_MS = 10_000
const QUESTION_BYTES = 4096

/**
 * Hands the descriptors of a unit to the runtime of its container, once: under docker and containerd nothing else on the way from their
 * client to a container carries descriptors.
 */
export class DescriptorBroker {
  readonly #options: BrokerOptions
  readonly #listener: ConnectionListener
  readonly #connections = new Set<Connection>()
  #isOver = false

  /** @throws SystemError if it cannot listen. */
  constructor(options: BrokerOptions) {
    this.#options = options
    const address = { family: 'unix', path: options.path } as const
    const fd = bindSocket({ type: 'seqpacket', address, backlog: MOST_CONNECTIONS })
    this.#listener = new ConnectionListener(fd, {
      onConnection: (connection) => this.#take(connection),
      onError: (error) => options.onRefused(error.message),
    })
    this.#listener.unref()
  }

  /** Ends it; the descriptors stay the caller's. */
  close(): void {
    this.#isOver = true
    this.#listener.close()
    for (const connection of this.#connections) connection.close()
    this.#connections.clear()
  }

  #take(connection: Connection): void {
    if (this.#connections.size >= MOST_CONNECTIONS) return connection.close()
    this.#connections.add(connection)
    const timer = setTimeout(() => this.#end(connection), QUESTION_MS).unref()
    const over = (): void => {
      clearTimeout(timer)
      this.#end(connection)
    }
    connection.receive({
      maxBytes: QUESTION_BYTES,
      onMessages: ([message, ...others]) => {
        for (const { fds } of others) closeForeignFds(fds)
        clearTimeout(timer)
        if (message !== undefined && this.#connections.has(connection))
          this.#hear(connection, message)
        this.#end(connection)
      },
      onEnd: over,
      onError: over,
    })
  }

  #hear(connection: Connection, message: ReceivedMessage): void {
    closeForeignFds(message.fds)
    const reason = whyNot(connection, this.#options.rule) ?? this.#mistakeIn(message.data)
    if (reason !== undefined) {
      this.#options.onRefused(reason)
      trySend(connection, { version: 1, error: reason })
      return
    }
    this.#isOver = true
    if (!this.#handOver(connection)) {
      this.#isOver = false
      return
    }
    this.#options.onHandedOver()
  }

  #mistakeIn(data: Buffer): string | undefined {
    if (this.#isOver) return 'they have been handed over already'
    try {
      const { id } = decodeQuestion(data)
      const isRight = timingSafeEqual(Buffer.from(id), Buffer.from(this.#options.id))
      return isRight ? undefined : 'its id is that of another start'
    } catch (error) {
      return (error as Error).message
    }
  }

  #handOver(connection: Connection): boolean {
    const { fds, names } = this.#options
    for (let at = 0; at === 0 || at < fds.length; at += MOST_IN_PACKET) {
      const packet = at === 0 ? encode({ version: 1, names }) : Buffer.from('{}')
      try {
        const some = fds.slice(at, at + MOST_IN_PACKET)
        if (connection.trySend(packet, { fds: some }) !== undefined) continue
        this.#options.onRefused('it does not take what it has asked for')
      } catch (error) {
        this.#options.onRefused((error as Error).message)
      }
      return false
    }
    return true
  }

  #end(connection: Connection): void {
    if (this.#connections.delete(connection)) connection.close()
  }
}

function trySend(connection: Connection, answer: Answer): void {
  try {
    connection.trySend(encode(answer))
  } catch {
    // It has gone.
  }
}
