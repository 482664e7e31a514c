import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import type { Socket } from 'node:net'
import { getSystemErrorMap } from 'node:util'
import { formatNotifyAddress } from './address.js'
import { NotifyError } from './errors.js'
import { systemdNotifyPath } from './systemd-notify-path.js'
import type { Outgoing, Outlet, Transport } from './transport.js'

/**
 * Sends each message with the program systemd-notify(1), which needs no addon. Used by default where the addon has no binary for
 * the machine. It costs a process for each message, one after the other, and has these limits:
 *
 * - The program is another process. As root it speaks in the name of this one, so that `NotifyAccess=main` suffices; otherwise it
 *   speaks as itself, and the unit needs `NotifyAccess=all`. The same goes for a service that is pid 1 of its container.
 * - No descriptors: `fds` is refused with `ERR_NOTIFY_UNSUPPORTED`, and `barrier()` says `unsupported`. No other sender: a message
 *   with `pid` is sent without it. No path of more than 107 bytes, and `vsock:` only with systemd 253 or newer.
 * - It waits until the service manager has read the message, or the manager could no longer tell whose it is; after 5 seconds
 *   without an answer the message counts as sent all the same. So `notifySync()` needs a manager that reads, or ends with
 *   `ERR_NOTIFY_TIMEOUT`, and the message may arrive nevertheless. Where there is no answer it sends `ERRNO=` of its own.
 * - A message that is under way when the process exits may be lost: `notifySync()` is for that.
 *
 * @example
 * <!-- needs: systemd-notify
 *      expect: READY=1, STATUS=Serving -->
 * ```js
 * import { ready, systemdNotify } from '@sdbridge/notify'
 *
 * await ready('Serving', { transport: systemdNotify })
 * ```
 */
export const systemdNotify: Transport = {
  name: 'systemd-notify',
  open(address) {
    return new SystemdNotifyOutlet(formatNotifyAddress(address))
  },
}

/** What the program itself may need on a slow machine, on top of the caller's time to wait for the manager. */
const START_MS = 500

class SystemdNotifyOutlet implements Outlet {
  readonly carriesFds = false
  readonly carriesCredentials = false
  readonly #value: string
  /** Looked up once, by the first message that finds it. */
  #program: string | undefined

  constructor(value: string) {
    this.#value = value
  }

  trySend({ data, background }: Outgoing): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = this.#start(() => spawn(this.#path(), argumentsOf(data), this.#options()))
      if (background === true) letProcessEnd(child)
      let stderr = ''
      // Not there if no descriptor is left for it, which 'error' tells.
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
      child.once('error', (cause) => reject(this.#notStarted(cause)))
      child.once('close', (status, signal) => {
        const failure = failureOf({ status, signal, stderr })
        if (failure === undefined) resolve()
        else reject(failure)
      })
    })
  }

  sendSync({ data }: Outgoing, timeoutMs: number): void {
    const { error, ...ending } = this.#start(() =>
      spawnSync(this.#path(), argumentsOf(data), {
        ...this.#options(),
        encoding: 'utf8',
        timeout: Math.ceil(timeoutMs) + START_MS,
        // It may be blocked by a manager that takes nothing.
        killSignal: 'SIGKILL',
      }),
    )
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') throw timedOut()
    if (error !== undefined) throw this.#notStarted(error)
    const failure = failureOf(ending)
    if (failure !== undefined) throw failure
  }

  // Nothing waits for room here; whether what is under way keeps the process alive, each message says for itself.
  onceRoom(): void {}

  keepAlive(): void {}

  close(): void {}

  #path(): string {
    this.#program ??= systemdNotifyPath()
    if (this.#program !== undefined) return this.#program
    throw Object.assign(new Error('there is no such program in $PATH, /usr/bin and /bin'), {
      code: 'ENOENT',
    })
  }

  // Nothing of this service's environment but where to send to: LISTEN_FDS and WATCHDOG_PID, for example, are not for it.
  #options(): { env: NodeJS.ProcessEnv; stdio: ['ignore', 'ignore', 'pipe'] } {
    const { PATH } = process.env
    const env = { NOTIFY_SOCKET: this.#value, LC_ALL: 'C', ...(PATH !== undefined && { PATH }) }
    return { env, stdio: ['ignore', 'ignore', 'pipe'] }
  }

  #start<Child>(start: () => Child): Child {
    try {
      return start()
    } catch (cause) {
      throw this.#notStarted(cause)
    }
  }

  // Not the cause alone: its ENOENT is about the program, and not about the socket.
  #notStarted(cause: unknown): NotifyError {
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.#program = undefined
    return new NotifyError(
      'ERR_NOTIFY_SEND_FAILED',
      `NOTIFY_SOCKET is '${this.#value}', but systemd-notify(1), which was to send there, could not be started: ${reason}. ` +
        'It comes with systemd; without it, install @sdbridge/syscalls for this machine, or pass another transport',
      { cause, address: this.#value },
    )
  }
}

// One argument for each line. No line begins with a dash, as each begins with a key; `--` is there in case.
function argumentsOf(data: Uint8Array): string[] {
  return ['--', ...Buffer.from(data).toString().split('\n')]
}

function letProcessEnd(child: ChildProcess): void {
  child.unref()
  // Node hands out a pipe, which is a socket, and has another type for it.
  ;(child.stderr as Socket | null | undefined)?.unref()
}

interface Ending {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

function failureOf({ status, signal, stderr }: Ending): Error | undefined {
  if (status === 0) return undefined
  // It sends the message first, and says so when that fails. A receiver that takes no descriptors, or does not read for five
  // seconds, has the message all the same.
  if (stderr.includes('Failed to invoke barrier')) return undefined
  const ended = signal === null ? `it ended with exit code ${status}` : `it was ended by ${signal}`
  const reason = stderr.trim() || ended
  const code = errnoNameIn(reason)
  const message = `${code === undefined ? '' : `${code}: `}systemd-notify(1) says: ${reason}`
  return Object.assign(new Error(message), code !== undefined && { code })
}

// It tells the errno as a text, in the C library's words; libuv's are nearly the same, in lower case.
function errnoNameIn(reason: string): string | undefined {
  const told = reason.toLowerCase()
  const [longest] = [...getSystemErrorMap().values()]
    .filter(([name, text]) => !name.startsWith('EAI_') && told.includes(text))
    .toSorted(([, a], [, b]) => b.length - a.length)
  return longest?.[0]
}

function timedOut(): Error {
  const message =
    'ETIMEDOUT: the service manager has not read the message for all that time; it may still do so'
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' })
}
