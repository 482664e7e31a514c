import type { Debugger } from 'debug'
import { diagnostics } from './diagnostics.js'
import { sendFailure } from './send-failure.js'
import type { Outgoing, Outlet } from './transport.js'
import { warnOnce } from './warn-once.js'

const log = diagnostics('sdbridge:notify')

/**
 * An outlet that tells `DEBUG=sdbridge:notify` of each message, its size and its outcome, turns what the system says into errors
 * for whoever runs the service, and sends under the own identity where the kernel refuses the one that was claimed.
 */
export class ReportingOutlet implements Outlet {
  readonly sendSync?: (message: Outgoing, timeoutMs: number) => void
  readonly #value: string
  readonly #outlet: Outlet

  /** @param value The value of `$NOTIFY_SOCKET`. */
  constructor(value: string, outlet: Outlet) {
    this.#value = value
    this.#outlet = outlet
    if (outlet.sendSync !== undefined) {
      this.sendSync = (message, timeoutMs) => {
        void this.#attempt(message, (each) => (outlet.sendSync!(each, timeoutMs), true))
      }
    }
  }

  get carriesFds(): boolean {
    return this.#outlet.carriesFds
  }

  get carriesCredentials(): boolean {
    return this.#outlet.carriesCredentials
  }

  trySend(message: Outgoing): boolean | Promise<void> {
    return this.#attempt(message, (each) => this.#outlet.trySend(each))
  }

  onceRoom(callback: (() => void) | undefined): void {
    try {
      this.#outlet.onceRoom(callback)
    } catch (cause) {
      throw sendFailure(this.#value, 'a message that has to wait', cause)
    }
  }

  keepAlive(on: boolean): void {
    this.#outlet.keepAlive(on)
  }

  close(): void {
    this.#outlet.close()
  }

  /** Tells what became of a message. */
  report(message: Outgoing, outcome: string): void {
    const debug = log()
    if (debug.enabled) write(debug, message, outcome, this.#value)
  }

  #attempt(
    message: Outgoing,
    send: (message: Outgoing) => boolean | Promise<void>,
  ): boolean | Promise<void> {
    if (message.credentials !== undefined && !this.#outlet.carriesCredentials) {
      return this.#attempt(this.#asMyself(message, 'this transport cannot claim a sender'), send)
    }
    const debug = log()
    try {
      const sent = send(message)
      if (typeof sent === 'object') return this.#follow(sent, message, send)
      if (debug.enabled) write(debug, message, sent ? 'sent' : 'waits', this.#value)
      return sent
    } catch (cause) {
      return this.#recover(cause, message, send)
    }
  }

  async #follow(
    sent: Promise<void>,
    message: Outgoing,
    send: (message: Outgoing) => boolean | Promise<void>,
  ): Promise<void> {
    try {
      await sent
      this.report(message, 'sent')
    } catch (cause) {
      await this.#recover(cause, message, send)
    }
  }

  // As libsystemd does: whatever the reason was, once more without the claim.
  #recover(
    cause: unknown,
    message: Outgoing,
    send: (message: Outgoing) => boolean | Promise<void>,
  ): boolean | Promise<void> {
    const reason = cause instanceof Error ? cause.message : String(cause)
    if (message.credentials !== undefined) {
      return this.#attempt(this.#asMyself(message, reason), send)
    }
    this.report(message, `failed (${reason})`)
    throw sendFailure(this.#value, preview(message), cause)
  }

  #asMyself(message: Outgoing, reason: string): Outgoing {
    const { credentials, ...rest } = message
    this.report(message, `is sent as myself and not as pid ${credentials?.pid} (${reason})`)
    warnOnce(
      'NOTIFY_SENDER_REFUSED',
      `a notification in the name of pid ${credentials?.pid} could not be sent (${reason}); it is sent as pid ` +
        `${process.pid}, and counts only if NotifyAccess= lets that process speak. Claiming a sender needs CAP_SYS_ADMIN`,
    )
    return rest
  }
}

function write(debug: Debugger, message: Outgoing, outcome: string, value: string): void {
  const { data, fds } = message
  const descriptors = fds.length === 0 ? '' : `, ${fds.length} descriptor(s)`
  debug('%s: %d bytes%s to %s: %s', outcome, data.length, descriptors, value, preview(message))
}

function preview(message: Outgoing): string {
  const text = Buffer.from(message.data).toString().replaceAll('\n', ' ')
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
