import {
  callBack,
  MESSAGE_MAX_BYTES,
  type ParsedAssignments,
  type UnixOutlet,
} from '@sdbridge/notify/relay'
import {
  closeFd,
  MESSAGES_PER_BATCH,
  type PlainMessages,
  type ReceivedMessage,
} from '@sdbridge/syscalls'
import createDebug from 'debug'
import type { Arrival } from './arrival.js'
import { BarrierEntry } from './barrier-entry.js'
import { ContainerSocket } from './container-socket.js'
import { DescriptorTable } from './descriptor-table.js'
import { fitMessage } from './fit-message.js'
import { HeldDescriptors } from './held-descriptors.js'
import { Ledger, type Report } from './ledger.js'
import { managerOutlet } from './manager-outlet.js'
import { ManagerQueue } from './manager-queue.js'
import { NotificationEntry } from './notification-entry.js'
import { checkOptions, type NotifyProxyOptions } from './proxy-options.js'
import { PlainNotification } from './plain-notification.js'
import { type ProxyCounters, summarize } from './proxy-counters.js'
import { ReceivedFds } from './received-fds.js'
import { type FittedMessage, readArrival, type ReadingRules } from './read-arrival.js'
import { StoreQuota } from './store-quota.js'

const debug = createDebug('sdbridge:proxy')

/** While it waits for what nobody announces: that `init` is known, or that the descriptor table is less full. */
const LOOK_AGAIN_MS = 50
/** A queue that was full has room again when it is filled to this part. */
const ROOM_AGAIN = 0.5
const MOST_HELD_FDS = 512

/** One for all proxies of this process. */
const table = new DescriptorTable()

/**
 * Receives a container's notifications at a socket of its own, checks and translates them, and passes them to the service manager.
 *
 * One message that comes is at most one that goes. They keep their order. While the service manager is busy, stopped, re-executing or
 * gone, they wait, and when 512 wait, what else the payload sends stays in the kernel's queue, where its sender waits as it would for
 * systemd itself. Only a lone `WATCHDOG=1` or a lone status gives way to a later one. A barrier is acknowledged by the service
 * manager alone. Nothing is printed: `DEBUG=sdbridge:proxy*` tells what happens, and `onDropped` why something does not.
 *
 * The service manager sees the messages as this process': make it the unit's main process, and `NotifyAccess=main` suffices. It keeps
 * the process alive until it is closed; its duty is to live as long as the container.
 *
 * @see {@link https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html sd_notify(3)}
 */
export class NotifyProxy {
  readonly #options: NotifyProxyOptions
  readonly #rules: ReadingRules
  readonly #ledger: Ledger
  readonly #socket: ContainerSocket
  readonly #queue: ManagerQueue | undefined
  readonly #held: HeldDescriptors
  /** Taken from the kernel, and not looked at yet. */
  readonly #arrived: ReceivedMessage[] = []
  readonly #plain = new PlainNotification()
  /** Where those are that go on as they came: pairs of offset and length. */
  readonly #ranges = new Int32Array(2 * MESSAGES_PER_BATCH)
  /** What `onForwarded` has not been told yet. */
  readonly #forwarded: ParsedAssignments[] = []
  /** The kinds of lines that it need not be told of again. */
  #known = 0
  #isFull = false
  #timer: NodeJS.Timeout | undefined
  #whenIdle: (() => void)[] = []
  #closed = false

  /**
   * Binds the container socket: from here on messages are received.
   *
   * @throws TypeError for wrong options; NotifyError `ERR_NOTIFY_INVALID_ADDRESS` for an `upstream` that cannot be reached this way;
   *   SystemError if the container socket cannot be made, such as `EADDRINUSE` if another process has it.
   */
  constructor(options: NotifyProxyOptions) {
    checkOptions(options)
    const {
      mainPid = false,
      notifyAccess = false,
      path,
      senders = 'all',
      store,
      upstream,
    } = options
    this.#options = options
    this.#rules = {
      mainPid,
      notifyAccess,
      senders,
      store: store && { prefix: store.prefix, quota: new StoreQuota(store) },
      init: () => this.#init(),
    }
    this.#ledger = new Ledger(options.onDropped)
    this.#held = new HeldDescriptors(() => this.#regulate())
    this.#queue = upstream === undefined ? undefined : this.#openQueue(managerOutlet(upstream))
    this.#socket = new ContainerSocket({
      path,
      pidfd: mainPid,
      onPlain: (messages) => this.#forwardPlain(messages),
      onMessages: (batch) => {
        for (const assignments of this.#forwarded.splice(0))
          callBack(options.onForwarded, assignments)
        this.#arrived.push(...batch)
        this.#work()
      },
    })
    debug('from %s to %s', path, upstream ?? 'nobody')
  }

  /** What became of the messages so far. */
  get counters(): ProxyCounters {
    return this.#ledger.counters(this.#waiting)
  }

  /** The counters as a few lines for a person. */
  summary(): string {
    return summarize(this.counters)
  }

  /**
   * Resolves when all that the payload has sent is with the service manager. It takes as long as the service manager does; while the
   * payload goes on sending, it may never come. Resolves also when this is closed.
   */
  async idle(): Promise<void> {
    while (!this.#closed) {
      const isPaused = this.#socket.paused
      const count = isPaused ? 0 : this.#socket.readBatch()
      if (this.#waiting > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
      else if (isPaused) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
      else if (count === 0) return
    }
  }

  /**
   * Closes the container socket, removes its file, and lets go of what waits. Descriptors are closed, which acknowledges the barriers
   * among them: wait for {@link idle} first. Closing twice is harmless.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#socket.close()
    this.#queue?.close()
    this.#held.close()
    for (const { fds, pidfd } of this.#arrived.splice(0)) {
      new ReceivedFds(fds).close()
      if (pidfd !== undefined) closeFd(pidfd)
    }
    this.#tellIdle()
  }

  get #waiting(): number {
    return this.#arrived.length + (this.#queue?.size ?? 0)
  }

  #openQueue(outlet: UnixOutlet): ManagerQueue {
    return new ManagerQueue(outlet, {
      onProgress: () => this.#regulate(),
      onSuperseded: () => this.#ledger.superseded++,
      onGivenUp: ({ data }) =>
        this.#ledger.reporter({ fullLength: data.length })(
          'barrier-given-up',
          'whoever waited for it has gone, while the service manager was away',
        ),
      onRefused: ({ data }, error) =>
        this.#ledger.reporter({ fullLength: data.length })('send-failed', error.message),
    })
  }

  /** What nearly all messages are, as long as the service manager has room for them: they go on as they came. */
  #forwardPlain(messages: PlainMessages): number {
    const { count, length, offset, payloads, pid } = messages
    const { onForwarded, senders = 'all' } = this.#options
    const isPossible = senders === 'all' && this.#arrived.length === 0 && !this.#isInitAwaited
    // With something in the queue nothing goes past it.
    if (!isPossible || this.#queue?.size !== 0 || debug.enabled) return 0
    let plain = 0
    let kinds = 0
    for (; plain < count; plain++) {
      const at = offset(plain)
      if (pid(plain) <= 0 || !this.#plain.read(payloads, at, length(plain))) break
      this.#ranges[2 * plain] = at
      this.#ranges[2 * plain + 1] = this.#plain.length
      kinds |= this.#plain.kinds
    }
    const sent =
      plain === 0 ? 0 : this.#queue.trySendBatch(payloads, this.#ranges.subarray(0, 2 * plain))
    if (onForwarded !== undefined && (kinds & ~this.#known) !== 0)
      this.#noteForwarded(messages, sent)
    this.#ledger.received += sent
    this.#ledger.forwarded += sent
    return sent
  }

  #noteForwarded({ length, offset, payloads }: PlainMessages, count: number): void {
    for (let index = 0; index < count; index++) {
      this.#plain.read(payloads, offset(index), length(index))
      this.#forwarded.push(this.#plain.assignments)
      if (this.#options.repeats === false) this.#known |= this.#plain.kinds
    }
  }

  #work(): void {
    let fdCount = 0
    while (this.#arrived.length > 0 && !this.#isInitAwaited) {
      const datagram = this.#arrived.shift()!
      fdCount += datagram.fds.length
      this.#takeIn(datagram)
    }
    this.#queue?.flush()
    this.#regulate(fdCount)
  }

  /** Whatever is wrong with this message: the next ones get their turn, and its descriptors are closed. */
  #takeIn(datagram: ReceivedMessage): void {
    this.#ledger.received++
    const fds = new ReceivedFds(datagram.fds)
    const report = this.#ledger.reporter(datagram)
    try {
      this.#forward({ datagram, fds, report })
    } catch (error) {
      report('failed', (error as Error).message)
    } finally {
      fds.close()
      if (datagram.pidfd !== undefined) closeFd(datagram.pidfd)
    }
  }

  #forward(arrival: Arrival): void {
    const { datagram, fds, report } = arrival
    if (this.#queue === undefined) {
      report('no-manager', 'there is no service manager: $NOTIFY_SOCKET was not set')
      return
    }
    const reading = readArrival(arrival, this.#rules)
    if (reading === undefined) return
    if (reading === 'barrier') return this.#forwardBarrier(arrival)
    this.#queue.push(this.#entryOf(reading, fds, report))
    if (datagram.fullLength > MESSAGE_MAX_BYTES) this.#ledger.rescued++
  }

  #forwardBarrier({ fds, report }: Arrival): void {
    const entry = new BarrierEntry(fds.take(), this.#held, {
      onSent: () => {
        this.#ledger.forwarded++
        this.#ledger.barriers++
        callBack(this.#options.onForwarded, { barrier: true })
      },
      onRefused: () => report('descriptors-refused', FDS_REFUSED),
    })
    this.#queue!.push(entry)
  }

  /** @param fds Those that go along. */
  #entryOf(
    { assignments, data }: FittedMessage,
    fds: ReceivedFds,
    report: Report,
  ): NotificationEntry {
    const onSent = (sent: readonly number[]): BarrierEntry | undefined => {
      this.#ledger.forwarded++
      debug('forwarded: %o', assignments)
      callBack(this.#options.onForwarded, assignments)
      // What the service manager does not keep it closes itself, in its own time: ours are closed after that.
      return sent.length > 0 ? new BarrierEntry(sent, this.#held) : undefined
    }
    const { count } = fds
    const onFdsRefused = (): NotificationEntry | undefined => {
      const rest = this.#withoutFds(assignments, count, report)
      const fitted = { assignments: rest, data: fitMessage(rest, report) }
      return fitted.data.length === 0
        ? undefined
        : this.#entryOf(fitted, new ReceivedFds([]), report)
    }
    return new NotificationEntry(data, kindOf(assignments), fds.take(), onSent, onFdsRefused)
  }

  #withoutFds(assignments: ParsedAssignments, count: number, report: Report): ParsedAssignments {
    const { fdName, fdStore } = assignments
    if (fdStore && fdName !== undefined) this.#rules.store?.quota.takeBack(fdName, count)
    report('descriptors-refused', FDS_REFUSED, fdStore ? 'FDSTORE' : 'MAINPIDFD')
    const rest = { ...assignments }
    for (const property of USES_OF_FDS) delete rest[property]
    if (Object.keys(rest).length === 0) report('nothing-left', FDS_REFUSED)
    return rest
  }

  /** What is decided by it has to wait: READY=1 must not depend on who is quicker. */
  get #isInitAwaited(): boolean {
    const { mainPid = false, senders } = this.#options
    if (senders !== 'init' && !mainPid) return false
    return this.#queue !== undefined && this.#init() === undefined
  }

  #init(): number | undefined {
    try {
      return this.#options.init?.()
    } catch (error) {
      debug('init fails: %s', (error as Error).message)
      return undefined
    }
  }

  /** Reads from the container or does not, as there is room for more. */
  #regulate(fdCount = 0): void {
    if (this.#closed) return
    this.#isFull = this.#fill >= (this.#isFull ? ROOM_AGAIN : 1)
    const looksAgain = table.isFilling(fdCount) || this.#arrived.length > 0
    if (looksAgain) this.#timer ??= setTimeout(() => this.#lookAgain(), LOOK_AGAIN_MS)
    const mayRead = !this.#isFull && !looksAgain
    if (mayRead === this.#socket.paused) {
      debug(
        mayRead ? 'reading from the container' : 'not reading from the container: %s',
        this.summary(),
      )
      if (mayRead) this.#socket.resume()
      else this.#socket.pause()
    }
    if (this.#waiting === 0) this.#tellIdle()
  }

  get #fill(): number {
    return Math.max(this.#queue?.fill ?? 0, this.#held.count / MOST_HELD_FDS)
  }

  #lookAgain(): void {
    this.#timer = undefined
    table.isFilling(0, true)
    this.#work()
  }

  #tellIdle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}

const USES_OF_FDS = ['fdStore', 'fdName', 'fdPoll', 'mainPidFd'] as const

const FDS_REFUSED = 'the service manager’s socket takes no descriptors (SO_PASSRIGHTS is off)'

function kindOf(assignments: ParsedAssignments): NotificationEntry['kind'] {
  const [property, another] = Object.keys(assignments)
  if (another !== undefined) return 'other'
  if (property === 'watchdog' && assignments.watchdog === true) return 'watchdog'
  return property === 'status' ? 'status' : 'other'
}
