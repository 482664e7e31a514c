import { chmodSync } from 'node:fs'
import {
  bindSocket,
  closeForeignFds,
  type Connection,
  type ReceivedMessage,
} from '@sdbridge/syscalls'
import { type AskerRule, whyNot } from './asker.js'
import { decodeQuestion, encode } from './broker-message.js'
import { BrokerServer } from './broker-server.js'
import { isSameId } from './same-id.js'
import { sendDescriptors } from './send-descriptors.js'

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

const BACKLOG = 16
/** Whoever is refused may come again, and the log is the operator's. */
const MOST_TOLD = 20
const QUESTION_BYTES = 4096

/**
 * Hands the descriptors of a unit to the runtime of its container, once: under docker and containerd nothing else on the way from their
 * client to a container carries descriptors.
 */
export class DescriptorBroker {
  readonly #options: BrokerOptions
  readonly #server: BrokerServer<void>
  #refusals = 0
  #isOver = false

  /** @throws SystemError if it cannot listen. */
  constructor(options: BrokerOptions) {
    this.#options = options
    const address = { family: 'unix', path: options.path } as const
    const fd = bindSocket({ type: 'seqpacket', address, backlog: BACKLOG })
    chmodSync(options.path, 0o600)
    this.#server = new BrokerServer<void>({
      fd,
      maxBytes: QUESTION_BYTES,
      judge: (connection) => {
        const reason = whyNot(connection, options.rule)
        if (reason !== undefined) throw new Error(reason)
      },
      converse: (connection) => ({
        take: (messages) => this.#hear(connection, messages),
        end: () => {},
      }),
      onRefused: (reason) => this.#tellRefused(reason),
    })
  }

  /** Ends it; the descriptors stay the caller's. */
  close(): void {
    this.#isOver = true
    this.#server.close()
  }

  #hear(connection: Connection, messages: readonly ReceivedMessage[]): true {
    for (const { fds } of messages) closeForeignFds(fds)
    if (this.#isOver) return true
    const { fds, id, names, onHandedOver } = this.#options
    if (!isSameId(decodeQuestion(messages[0]!.data).id, id))
      throw new Error('its id is that of another start')
    sendDescriptors(connection, encode({ version: 1, names }), fds)
    this.close()
    onHandedOver()
    return true
  }

  #tellRefused(reason: string): void {
    this.#refusals += 1
    if (this.#refusals <= MOST_TOLD) this.#options.onRefused(reason)
    if (this.#refusals === MOST_TOLD) this.#options.onRefused('more of them are not told of')
  }
}
