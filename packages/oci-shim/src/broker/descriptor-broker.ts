import { chmodSync } from 'node:fs'
import {
  bindSocket,
  closeForeignFds,
  type Connection,
  ConnectionListener,
} from '@sdbridge/syscalls'
import { type AskerRule, whyNot } from './asker.js'
import { decodeQuestion, encode, MOST_IN_PACKET } from './broker-message.js'

export interface BrokerOptions {
  /** Where to listen: in a directory of ours, 0700. */
  readonly path: string
  /** What whoever asks has to know. */
  readonly id: string
  readonly rule: AskerRule
  readonly fds: readonly number[]
  readonly names: readonly string[]
  /** The descriptors have been handed over, once and for all: nobody is listened to any more. */
  readonly onHandedOver: () => void
  /** Somebody was refused. */
  readonly onRefused: (reason: string) => void
}

const MOST_CONNECTIONS = 16
/** Whoever is refused may come again, and the log is the operator's. */
const MOST_TOLD = 20
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
  #refusals = 0

  /** @throws SystemError if it cannot listen. */
  constructor(options: BrokerOptions) {
    this.#options = options
    const address = { family: 'unix', path: options.path } as const
    const fd = bindSocket({ type: 'seqpacket', address, backlog: MOST_CONNECTIONS })
    chmodSync(options.path, 0o600)
    this.#listener = new ConnectionListener(fd, {
      onConnection: (connection) => this.#take(connection),
      onError: (error) => options.onRefused(error.message),
    })
    this.#listener.unref()
  }

  /** Ends it; the descriptors stay the caller's. */
  close(): void {
    this.#listener.close()
    for (const connection of this.#connections) connection.close()
    this.#connections.clear()
  }

  // Whoever may not ask is sent away at once, so that it takes up no room.
  #take(connection: Connection): void {
    const reason = whyNot(connection, this.#options.rule)
    if (reason !== undefined) {
      this.#refuse(connection, reason)
      return connection.close()
    }
    if (this.#connections.size >= MOST_CONNECTIONS) return connection.close()
    this.#connections.add(connection)
    const timer = setTimeout(() => this.#end(connection), QUESTION_MS).unref()
    const over = (): void => {
      clearTimeout(timer)
      this.#end(connection)
    }
    connection.receive({
      maxBytes: QUESTION_BYTES,
      onMessages: (messages) => {
        for (const { fds } of messages) closeForeignFds(fds)
        if (this.#connections.has(connection)) this.#hear(connection, messages[0]!.data)
        over()
      },
      onEnd: over,
      onError: over,
    })
  }

  #hear(connection: Connection, question: Buffer): void {
    const mistake = this.#mistakeIn(question)
    if (mistake !== undefined) this.#refuse(connection, mistake)
    else if (this.#handOver(connection)) {
      this.close()
      this.#options.onHandedOver()
    }
  }

  #mistakeIn(data: Buffer): string | undefined {
    try {
      const { id } = decodeQuestion(data)
      const { timingSafeEqual } = process.getBuiltinModule('node:crypto')
      const isRight = timingSafeEqual(Buffer.from(id), Buffer.from(this.#options.id))
      return isRight ? undefined : 'its id is that of another start'
    } catch (error) {
      return (error as Error).message
    }
  }

  #refuse(connection: Connection, reason: string): void {
    this.#refusals += 1
    if (this.#refusals <= MOST_TOLD) this.#options.onRefused(reason)
    if (this.#refusals === MOST_TOLD) this.#options.onRefused('more of them are not told of')
    try {
      connection.trySend(encode({ version: 1, error: reason }))
    } catch {
      // It has gone.
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
