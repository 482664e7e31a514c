/**
 * Notifications over the npm package `unix-dgram`, for whoever has it anyway.
 *
 * @module
 */
import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import { formatNotifyAddress, type NotifyAddress } from './address.js'
import { invalidArgType, NotifyError } from './errors.js'
import type { Outgoing, Outlet, Transport } from './transport.js'

export type { Transport } from './transport.js'

/** What `require('unix-dgram')` gives, as far as it is used here. The package brings no types. */
export interface UnixDgramModule {
  createSocket(type: 'unix_dgram'): unknown
}

/**
 * Sends with a socket of the npm package [unix-dgram](https://www.npmjs.com/package/unix-dgram) 2.0.7 or later, which you install:
 * `npm install unix-dgram`. It has no binaries and compiles itself at the installation, which npm 12 and pnpm do only when
 * they are told to (`allowScripts`, `allowBuilds`).
 *
 * The message comes from this process, so that `NotifyAccess=main` suffices, and `process.exit()` right after the call loses nothing
 * that was sent. Its limits, each of which ends in a clear error and not in a process that aborts or a message that goes elsewhere:
 *
 * - only the main thread, only `NOTIFY_SOCKET=/path` of at most 107 bytes (`ERR_NOTIFY_UNSUPPORTED` otherwise)
 * - no descriptors: `fds` is refused with `ERR_NOTIFY_UNSUPPORTED`, and `barrier()` says `unsupported`
 * - no other sender: a message with `pid` is sent without it
 *
 * @param module What `require('unix-dgram')` or `import('unix-dgram')` gives. Default: it is loaded by the first message, as seen from
 *   this package or from the main program.
 * @returns The same transport for the same module.
 * @throws TypeError for a module of something else.
 * @example
 * <!-- needs: unix-dgram
 *      expect: READY=1, STATUS=Serving -->
 * ```js
 * import { ready } from '@sdbridge/notify'
 * import { unixDgram } from '@sdbridge/notify/unix-dgram'
 *
 * await ready('Serving', { transport: unixDgram() })
 * ```
 */
export function unixDgram(module?: UnixDgramModule): Transport {
  if (module === undefined) return (ownTransport ??= transportOver(loadOnce))
  if (typeof module?.createSocket !== 'function') {
    throw invalidArgType('module', 'what require("unix-dgram") gives', module)
  }
  const transport = transports.get(module) ?? transportOver(() => module)
  transports.set(module, transport)
  return transport
}

// A message finds the ones before it by its transport.
const transports = new WeakMap<UnixDgramModule, Transport>()
let ownTransport: Transport | undefined
let loaded: UnixDgramModule | undefined

function transportOver(load: () => UnixDgramModule): Transport {
  return {
    name: 'unix-dgram',
    open(address) {
      return new UnixDgramOutlet(usablePath(address), load())
    },
  }
}

/** The bytes of sun_path but for the NUL at the end; unix-dgram cuts what is longer, and sends to another address. */
const PATH_MAX_BYTES = 107

function usablePath(address: NotifyAddress): string {
  const value = formatNotifyAddress(address)
  // It would use the event loop of the main thread from here.
  if (!isMainThread) throw unsupported(value, 'works in the main thread only, and this is a Worker')
  if (address.kind !== 'unix-path') {
    throw unsupported(value, 'reaches sockets in the file system only, and this is none')
  }
  const bytes = Buffer.byteLength(address.path)
  if (bytes <= PATH_MAX_BYTES) return address.path
  throw unsupported(
    value,
    `takes no path of more than ${PATH_MAX_BYTES} bytes, and this has ${bytes}`,
  )
}

function unsupported(address: string, limit: string): NotifyError {
  return new NotifyError(
    'ERR_NOTIFY_UNSUPPORTED',
    `NOTIFY_SOCKET is '${address}', but unix-dgram ${limit}; leave out the transport, or use another`,
    { address },
  )
}

function loadOnce(): UnixDgramModule {
  return (loaded ??= firstFound())
}

// From here, where package managers put an optional peer; and from the main program, if this package is elsewhere (linked, say).
function firstFound(): UnixDgramModule {
  const [, program] = process.argv
  try {
    return requireFrom(import.meta.url)
  } catch (error) {
    if (program === undefined || !isNotFound(error)) throw notLoaded(error)
  }
  try {
    return requireFrom(realPath(program))
  } catch (error) {
    throw notLoaded(error)
  }
}

function requireFrom(place: string): UnixDgramModule {
  return createRequire(place)('unix-dgram') as UnixDgramModule
}

function realPath(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}

function isNotFound(error: unknown): boolean {
  const { code, message = '' } = error as { code?: string; message?: string }
  return code === 'MODULE_NOT_FOUND' && message.includes("'unix-dgram'")
}

function notLoaded(cause: unknown): NotifyError {
  const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n')
  return new NotifyError(
    'ERR_NOTIFY_UNSUPPORTED',
    isNotFound(cause)
      ? 'the transport unix-dgram needs the npm package of this name, which is not installed: npm install unix-dgram'
      : `the npm package unix-dgram is installed and does not load: ${reason}. It is compiled at the installation: allow its ` +
          'script (allowScripts of npm 12, allowBuilds of pnpm) and run npm install unix-dgram again, with this version of Node',
    { cause },
  )
}

/** The one call that is used of a socket of unix-dgram. It reports in the call, by a negative errno in `code`. */
interface Socket {
  send(
    data: Uint8Array,
    offset: number,
    length: number,
    path: string,
    callback: (error?: { code?: unknown }) => void,
  ): void
  close(): void
}

const EAGAIN = -11
/** How often to look for room when the manager is busy, at first and at last. */
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 100

/**
 * A socket for each message, as libsystemd has it too. One that is kept would keep the process alive, as unix-dgram polls it from
 * its birth and has no unref(); and it would stay with a manager whose socket was replaced. For the same reason a timer looks for
 * room, and not unix-dgram's event for it: that comes while nothing else of Node runs, and an error there aborts the process.
 */
class UnixDgramOutlet implements Outlet {
  readonly carriesFds = false
  readonly carriesCredentials = false
  readonly #path: string
  readonly #module: UnixDgramModule
  #timer: NodeJS.Timeout | undefined
  #pauseMs = FIRST_PAUSE_MS
  #keepsAlive = true

  constructor(path: string, module: UnixDgramModule) {
    this.#path = path
    this.#module = module
  }

  trySend({ data }: Outgoing): boolean {
    const socket = this.#open()
    try {
      const errno = errnoOf(socket, data, this.#path)
      if (errno === EAGAIN) return false
      if (errno !== 0) throw systemError(errno, 'sendto', this.#path)
      this.#pauseMs = FIRST_PAUSE_MS
      return true
    } finally {
      closeQuietly(socket)
    }
  }

  onceRoom(callback: (() => void) | undefined): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (callback === undefined) return
    this.#timer = setTimeout(callback, this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
    if (!this.#keepsAlive) this.#timer.unref()
  }

  keepAlive(on: boolean): void {
    this.#keepsAlive = on
    if (on) this.#timer?.ref()
    else this.#timer?.unref()
  }

  close(): void {}

  #open(): Socket {
    try {
      return this.#module.createSocket('unix_dgram') as Socket
    } catch (error) {
      const { code, syscall = 'socket' } = error as { code?: unknown; syscall?: string }
      throw typeof code === 'number' ? systemError(code, syscall, this.#path) : error
    }
  }
}

// What unix-dgram asserts of its arguments, and ends the process for, is true by the types: bytes, and no more than there are.
function errnoOf(socket: Socket, data: Uint8Array, path: string): number {
  let errno: number | undefined
  socket.send(data, 0, data.length, path, (error) => {
    errno = error === undefined ? 0 : Number(error.code)
  })
  if (errno === undefined || Number.isNaN(errno)) {
    throw new Error('this version of unix-dgram does not say what became of a message: use 2.0.7')
  }
  return errno
}

/** In the shape of Node's own. */
function systemError(errno: number, syscall: string, address: string): Error {
  const code = getSystemErrorName(errno)
  const message = `${syscall} ${code} ${address}`
  return Object.assign(new Error(message), { code, errno, syscall, address })
}

// Never twice, which would abort the process; and what it says is of no use, as the message is sent or has failed.
function closeQuietly(socket: Socket): void {
  try {
    socket.close()
  } catch {
    // Closed all the same.
  }
}
