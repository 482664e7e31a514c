import { closeForeignFds, type Connection, type ReceivedMessage } from '@sdbridge/syscalls'
import { type AskerRule, whyNot } from '../broker/asker.js'
import {
  decodeQuestionOrDeposit,
  type Deposit,
  encode,
  MOST_BYTES,
  type Question,
} from '../broker/broker-message.js'
import { BrokerServer, type Conversation } from '../broker/broker-server.js'
import { isSameId } from '../broker/same-id.js'
import { sendDescriptors } from '../broker/send-descriptors.js'
import type { Caller } from './caller.js'

export interface DescriptorDepositsOptions {
  /** A listening SEQPACKET socket. Taken over. */
  readonly fd: number
  /** Judges who is there. @throws Error that says why it may not ask. */
  readonly judge: (connection: Connection) => Caller
  /** The control group of a caller's unit. */
  readonly groupOf: (caller: Caller) => string | undefined
  /** The unit of a container that is bridged; `undefined` if there is no such container, or it has ended. */
  readonly unitOf: (name: string) => string | undefined
  /** Somebody was refused. */
  readonly onRefused: (reason: string) => void
}

/** What is kept for the runtime of a container. */
interface Kept {
  readonly id: string
  readonly rule: AskerRule
  readonly fds: readonly number[]
  readonly names: readonly string[]
  readonly timer: NodeJS.Timeout
}

/** Of the daemon's own limit, which the units' sockets are not to use up. */
const MOST_KEPT = 8192
/** A container whose image has to be pulled first asks late; one that never asks must not hold a socket that its unit has closed. */
const KEPT_MS = 60 * 60 * 1000

/**
 * The descriptors of units whose main process is an engine's client, which carries none: kept for the runtime of the unit's container, handed to it once, and
 * dropped when the container, or the unit's main process, has ended.
 *
 * They are in this process alone. A restart of the daemon between a unit's start and its runtime's question, which is an instant unless an image is pulled,
 * loses them: the runtime hears that they are not here any more, the container is not made, and the unit fails, to be started again by its Restart=. To store
 * them with the service manager would be to hold the unit's sockets open beyond the unit.
 */
export class DescriptorDeposits {
  readonly #options: DescriptorDepositsOptions
  readonly #server: BrokerServer<Caller>
  readonly #byName = new Map<string, Kept>()
  #count = 0

  /** @throws TypeError, SystemError for what is no listening unix socket. */
  constructor(options: DescriptorDepositsOptions) {
    this.#options = options
    this.#server = new BrokerServer({
      fd: options.fd,
      maxBytes: MOST_BYTES,
      judge: options.judge,
      converse: (connection, caller) => this.#converse(connection, caller),
      onRefused: options.onRefused,
    })
  }

  /** How many descriptors are kept. */
  get size(): number {
    return this.#count
  }

  /** Nobody will ask any more for those of this container. */
  drop(name: string): void {
    const kept = this.#byName.get(name)
    if (kept === undefined) return
    this.#byName.delete(name)
    this.#count -= kept.fds.length
    clearTimeout(kept.timer)
    // A socket with unsent data may block a close.
    closeForeignFds(kept.fds)
  }

  close(): void {
    this.#server.close()
    for (const name of this.#byName.keys()) this.drop(name)
  }

  #converse(connection: Connection, caller: Caller): Conversation {
    const fds: number[] = []
    let said: Question | Deposit | undefined
    return {
      take: (messages) => {
        takeDescriptors(messages, fds)
        said ??= decodeQuestionOrDeposit(messages[0]!.data)
        if (!('deposit' in said)) return this.#answer(connection, said)
        this.#checkDeposit(said, caller, fds.length)
        if (fds.length < said.names.length) return false
        const { engineUnits } = said
        const rule = { unitCgroup: this.#options.groupOf(caller), engineUnits }
        this.#keep(said, rule, fds.splice(0))
        connection.trySend(encode({ version: 1, kept: said.names.length }))
        return true
      },
      end: () => closeForeignFds(fds.splice(0)),
    }
  }

  #answer(connection: Connection, { id }: Question): true {
    const [name, kept] = [...this.#byName].find(([, each]) => isSameId(each.id, id)) ?? []
    if (name === undefined || kept === undefined)
      throw new Error(
        'there are none for this start: they have been handed over, or the unit has ended, or the daemon was restarted after it had been given them: start the unit anew, and not its container',
      )
    const reason = whyNot(connection, kept.rule)
    if (reason !== undefined) throw new Error(reason)
    sendDescriptors(connection, encode({ version: 1, names: kept.names }), kept.fds)
    this.drop(name)
    return true
  }

  #checkDeposit({ deposit, names }: Deposit, { pid, unit }: Caller, count: number): void {
    if (unit === undefined)
      throw new Error(`process ${pid} is of no unit: expected one of a unit's own processes`)
    if (this.#options.unitOf(deposit) !== unit)
      throw new Error(`${unit} has no container ${deposit} registered`)
    if (count > names.length) throw new Error(`${count} descriptors for ${names.length} names`)
    const before = this.#byName.get(deposit)?.fds.length ?? 0
    if (this.#count - before + names.length > MOST_KEPT)
      throw new Error(`the daemon keeps ${this.#count} descriptors, and takes ${MOST_KEPT} at most`)
  }

  #keep({ deposit, id, names }: Deposit, rule: AskerRule, fds: readonly number[]): void {
    this.drop(deposit)
    const timer = setTimeout(() => this.drop(deposit), KEPT_MS).unref()
    this.#byName.set(deposit, { id, rule, fds, names, timer })
    this.#count += fds.length
  }
}

function takeDescriptors(messages: readonly ReceivedMessage[], fds: number[]): void {
  for (const message of messages) fds.push(...message.fds)
  if (messages.some(({ controlTruncated }) => controlTruncated))
    throw new Error('descriptors were lost: raise LimitNOFILE= of sdbridge.service')
}
