import { MESSAGE_MAX_BYTES, type ParsedAssignments } from '@sdbridge/notify/relay'
import {
  type DatagramSocket,
  type PeekingReceiver,
  type PlainMessages,
  type ReceivedMessage,
} from '@sdbridge/syscalls'
import type { DescriptorTable } from '../proxy/descriptor-table.js'
import type { Drop } from '../proxy/drop.js'
import { Ledger, type Report } from '../proxy/ledger.js'
import { PlainNotification } from '../proxy/plain-notification.js'
import type { ProxyCounters } from '../proxy/proxy-counters.js'
import { type FittedMessage, readArrival, type ReadingRules } from '../proxy/read-arrival.js'
import { ReceivedFds } from '../proxy/received-fds.js'
import { StoreQuota } from '../proxy/store-quota.js'
import type { ManagerWay } from './manager-way.js'
import type { UnitProcess } from './unit-process.js'

export interface RelayOptions {
  /** The container's socket, bound. The relay closes it. */
  readonly socket: DatagramSocket
  readonly way: ManagerWay
  /** Of this process, for all relays. */
  readonly table: DescriptorTable
  /** In whose name messages go. Borrowed. */
  readonly unitProcess: UnitProcess
  /** In front of the names of what the container stores; `undefined` if the unit has no store. */
  readonly storePrefix: string | undefined
  /** Hears what went to the service manager, in the host's terms. */
  readonly onForwarded: (assignments: ParsedAssignments) => void
  readonly onDropped: (drop: Drop) => void
  /** The socket fails, and nothing is received any more. */
  readonly onError: (error: Error) => void
}

/** Of a message that is longer than what systemd reads, this much is looked at for what can be rescued. */
const RECEIVE_MAX_BYTES = 64 * 1024

/** While the table of descriptors is too full for a message. */
const LOOK_AGAIN_MS = 50

/** Read and done with within one call, so that all relays share it. */
const plain = new PlainNotification()

/** A message that waits for the service manager, while it is in the kernel's queue still. */
interface InHand {
  readonly message: FittedMessage
  readonly fds: readonly number[]
  readonly report: Report
}

/**
 * Passes the notifications of one container on to the service manager, in the name of its unit's main process. A message leaves the kernel's queue when
 * the service manager has it. So a daemon that ends loses none; killed between the two, it sends one again, which says the same twice.
 *
 * The same checks and translations as in a bridge of its own; never a main process, nor who has access.
 */
export class Relay {
  readonly #options: RelayOptions
  readonly #rules: ReadingRules
  readonly #ledger: Ledger
  readonly #receiver: PeekingReceiver
  #inHand: InHand | undefined
  /** What is kept in the queue until the service manager has read it, or all that was sent before: it has been sent, or is a barrier. */
  #unread: 'sent' | 'barrier' | undefined
  /** The message in the queue waits for room in the table of descriptors. */
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #whenDrained: (() => void)[] = []

  /** Starts at once. @throws SystemError */
  constructor(options: RelayOptions) {
    this.#options = options
    const { storePrefix: prefix } = options
    this.#rules = {
      mainPid: false,
      notifyAccess: false,
      senders: 'all',
      init: () => undefined,
      // How many there may be is the service manager's to keep: it also knows what it has dropped.
      store:
        prefix === undefined ? undefined : { prefix, quota: new StoreQuota({ limit: Infinity }) },
    }
    this.#ledger = new Ledger(options.onDropped)
    this.#receiver = options.socket.peek({
      maxBytes: RECEIVE_MAX_BYTES,
      onPlain: (message) => this.#forwardPlain(message),
      onMessage: (message) => this.#take(message),
      onError: options.onError,
    })
  }

  get counters(): ProxyCounters {
    const counters = this.#ledger.counters(this.#isBusy ? 1 : 0)
    // What is in hand is in the queue still, and comes again after a restart.
    return this.#isInHand ? { ...counters, received: counters.received - 1 } : counters
  }

  /** Resolves when all that the container has sent so far is with the service manager, or when this is closed. */
  async drained(): Promise<void> {
    while (!this.#isClosed) {
      if (this.#isBusy) await new Promise<void>((resolve) => this.#whenDrained.push(resolve))
      else if (this.#receiver.readBatch() === 0 && !this.#isBusy) return
      else await new Promise(setImmediate)
    }
  }

  /** Ends it, and closes the socket. What the service manager does not have stays in the kernel's queue, where somebody else has the socket, too. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#timer)
    // Whoever has the socket next is not to send it again; but it is to answer a barrier.
    if (this.#unread === 'sent') this.#receiver.release()
    else if (this.#isInHand) this.#ledger.received--
    this.#options.socket.close()
    this.#inHand = this.#unread = undefined
    this.#tellDrained()
  }

  get #isBusy(): boolean {
    return this.#isInHand || this.#unread === 'sent' || this.#timer !== undefined
  }

  /** Counted, and to come again if this ends now. */
  get #isInHand(): boolean {
    return this.#inHand !== undefined || this.#unread === 'barrier'
  }

  /** What nearly all messages are: they go on as they came. */
  #forwardPlain({ length, offset, payloads, pid }: PlainMessages): boolean {
    const at = offset(0)
    const { onForwarded, unitProcess, way } = this.#options
    if (pid(0) <= 0 || !plain.read(payloads, at, length(0)) || !unitProcess.isAlive()) return false
    const data = payloads.subarray(at, at + plain.length)
    try {
      if (!way.trySend({ data, fds: [], credentials: unitProcess.credentials })) return false
    } catch {
      // It is told where it is tried again.
      return false
    }
    this.#ledger.received++
    this.#ledger.forwarded++
    onForwarded(plain.assignments)
    return true
  }

  /** Returns whether it is done with. */
  #take(datagram: ReceivedMessage): boolean {
    if (this.#isTableTooFull(datagram)) return false
    this.#ledger.received++
    // They are the receiver's, which closes them when the message has left the queue.
    const fds = new ReceivedFds(datagram.fds, true)
    const report = this.#ledger.reporter(datagram)
    try {
      const reading = readArrival({ datagram, fds, report }, this.#rules)
      if (reading === 'barrier') return this.#passBarrier()
      if (reading === undefined) return true
      if (datagram.fullLength > MESSAGE_MAX_BYTES) this.#ledger.rescued++
      return this.#forward({ message: reading, fds: fds.take(), report })
    } catch (error) {
      report('failed', (error as Error).message)
      return true
    }
  }

  // What has not come whole would be closed by the kernel, in this thread, when the message leaves the queue.
  #isTableTooFull({ controlTruncated, fds }: ReceivedMessage): boolean {
    if (fds.length === 0 && !controlTruncated) return false
    if (!this.#options.table.isFilling(fds.length, controlTruncated)) return false
    // Of many that wait, none is in the way of another.
    this.#receiver.closeFds()
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#options.table.isFilling(0, true)
      this.#receiver.resume()
      this.#tellDrained()
    }, LOOK_AGAIN_MS)
    return true
  }

  // The payload's own descriptor does not go to the service manager: see docs/decisions/0017. It is closed when one of ours is.
  #passBarrier(): boolean {
    return this.#keepUntilRead('barrier', () => {
      this.#ledger.forwarded++
      this.#ledger.barriers++
      this.#options.onForwarded({ barrier: true })
    })
  }

  #forward(inHand: InHand): boolean {
    const { message, fds, report } = inHand
    const { onForwarded, unitProcess, way } = this.#options
    try {
      if (!unitProcess.isAlive()) {
        report(
          'unit-ended',
          `the main process of ${unitProcess.unit}, in whose name it would go, has ended`,
        )
      } else if (way.trySend({ data: message.data, fds, credentials: unitProcess.credentials })) {
        this.#ledger.forwarded++
        onForwarded(message.assignments)
        // What the service manager does not keep it closes itself, in its own time: ours are closed after that.
        return fds.length === 0 || this.#keepUntilRead('sent')
      } else {
        this.#inHand = inHand
        way.onceOpen(() => this.#goOn())
        return false
      }
    } catch (error) {
      const { code, message: text } = error as NodeJS.ErrnoException
      report(code === 'ESRCH' ? 'unit-ended' : 'send-failed', text)
    }
    return true
  }

  /** The message stays in the queue meanwhile, and with it the kernel's copies of the descriptors. */
  #keepUntilRead(what: 'sent' | 'barrier', onRead?: () => void): false {
    this.#unread = what
    this.#options.way.afterAll(() => {
      if (this.#isClosed) return
      this.#unread = undefined
      onRead?.()
      this.#release()
    })
    return false
  }

  #goOn(): void {
    const inHand = this.#inHand
    if (inHand === undefined) return
    this.#inHand = undefined
    if (this.#forward(inHand)) this.#release()
  }

  #release(): void {
    if (this.#isClosed) return
    this.#receiver.release()
    this.#tellDrained()
  }

  #tellDrained(): void {
    for (const resolve of this.#whenDrained.splice(0)) resolve()
  }
}
