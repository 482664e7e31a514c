import { isatty } from 'node:tty'
import { type Signal, SignalWatcher } from '@sdbridge/syscalls'

type Handler = (signal: Signal) => void
type StopHandler = (signal: NodeJS.Signals) => void

/** What ends the unit: systemd's KillSignal= is one of these, nearly always. */
const STOP = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const
/** What a payload may want to hear: ReloadSignal= is one of these. Of those that terminals send, only where there is none. */
const PASSED_ON = ['SIGHUP', 'SIGUSR2', 'SIGALRM'] as const
const OF_TERMINALS = ['SIGWINCH', 'SIGTTIN', 'SIGTTOU'] as const
const REAL_TIME = Array.from({ length: 31 }, (_, index) =>
  index === 0 ? ('SIGRTMIN' as const) : (`SIGRTMIN+${index}` as const),
)

export interface SignalHandlers {
  /** The unit is to stop. */
  onStop: StopHandler
  /** The watchdog has run out, or an operator wants a core: the container is to end at once. */
  onAbort: Handler
  /** For the payload. */
  onPassOn: Handler
  /** The operator wants to know what was dropped. */
  onSummary: Handler
}

/**
 * Catches the signals of this process from its first moment on, and keeps them until somebody is there to handle them: none may
 * end it before it can clean up.
 */
export class SignalInbox {
  readonly #early: ((handlers: SignalHandlers) => void)[] = []
  #handlers: SignalHandlers | undefined
  #isStopped = false

  constructor() {
    // Node's own use of this one is its debugger, which would open a port.
    process.on('SIGUSR1', () => this.#deliver(({ onSummary }) => onSummary('SIGUSR1')))
    for (const signal of STOP) {
      process.on(signal, () => {
        this.#isStopped = true
        this.#deliver(({ onStop }) => onStop(signal))
      })
    }
    process.on('SIGABRT', () => this.#deliver(({ onAbort }) => onAbort('SIGABRT')))
    for (const signal of [...PASSED_ON, ...(isatty(0) ? [] : OF_TERMINALS)])
      process.on(signal, () => this.#deliver(({ onPassOn }) => onPassOn(signal)))
    for (const signal of REAL_TIME)
      void new SignalWatcher(signal, () => this.#deliver(({ onPassOn }) => onPassOn(signal)))
  }

  /** Whether the unit is to stop. */
  get isStopped(): boolean {
    return this.#isStopped
  }

  /** Delivers what has come, in its order, and what comes. */
  open(handlers: SignalHandlers): void {
    this.#handlers = handlers
    for (const deliver of this.#early.splice(0)) deliver(handlers)
  }

  #deliver(deliver: (handlers: SignalHandlers) => void): void {
    if (this.#handlers === undefined) this.#early.push(deliver)
    else deliver(this.#handlers)
  }
}
