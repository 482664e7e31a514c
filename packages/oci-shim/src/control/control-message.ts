import { isObject } from '../runtime/json-values.js'
import { isContainerName } from './container-name.js'

/** The version of what is said at the daemon's socket. What another version says is refused. */
export const CONTROL_VERSION: number = 1

/** A request is at most this long, with its line break. */
export const MOST_REQUEST_BYTES: number = 64 * 1024

/** Which container it is, as whoever starts it says. */
export interface ContainerFacts {
  /** The engine's or the runtime's own name for it. */
  readonly id: string
  /** `docker`, `podman`, `runc`, `crun`, `cri-o`, `containerd`, or what else has started it. */
  readonly engine: string
  /** Its first process, as this host counts; absent where it is not known yet. */
  readonly pid?: number
}

/** Bridge a container, whose directory has been made, and which has not been started yet. */
export interface RegisterRequest {
  readonly command: 'register'
  /** The name of its directory. */
  readonly name: string
  readonly container: ContainerFacts
  /** The unit that an annotation of its configuration names; it counts where the allow-list says so. */
  readonly annotatedUnit?: string
  /** `sdbridge cleanup` is to remove it when its unit's main process, an engine's client, has ended. */
  readonly isRemoved?: true
}

/** The container has ended: what it has sent still goes on. */
export interface UnregisterRequest {
  readonly command: 'unregister'
  readonly name: string
  /** As it was registered: nobody ends another one's. */
  readonly id: string
}

/** One line of JSON, with the version. */
export type ControlRequest =
  | RegisterRequest
  | UnregisterRequest
  | { readonly command: 'list' }
  | { readonly command: 'events' }

/** What is answered to `register`. */
export interface RegisteredReply {
  readonly unit: string
  /** The container's socket, on the host. */
  readonly socket: string
}

/** What is answered to anything that cannot be done. */
export interface ErrorReply {
  readonly error: string
}

/** What the daemon knows of a container: a line of `sdbridge ps --json`. */
export interface ContainerStatus {
  readonly name: string
  readonly container: ContainerFacts
  readonly unit: string
  readonly mainPid: number
  /** What the container has said last of itself; `ending` when it has ended, and not all that it said has gone on. */
  readonly state: 'starting' | 'ready' | 'reloading' | 'stopping' | 'ending'
  /** `STATUS=`, the last one. */
  readonly status?: string
  /** Milliseconds since 1970. */
  readonly registeredAt: number
  readonly readyAt?: number
  /** The last `WATCHDOG=1`. */
  readonly pingedAt?: number
  readonly received: number
  readonly forwarded: number
  /** One message that the service manager does not take now; what else there is waits in the kernel. */
  readonly waiting: number
  readonly droppedMessages: Readonly<Record<string, number>>
  readonly droppedFields: Readonly<Record<string, number>>
}

/** What `sdbridge events` follows: one line each. */
export interface ContainerEvent {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly event:
    | 'registered'
    | 'ready'
    | 'reloading'
    | 'stopping'
    | 'status'
    | 'dropped'
    | 'unregistered'
    | 'unit-ended'
    | 'refused'
  /** The container, or what was refused; absent if it has no name. */
  readonly name?: string
  readonly unit?: string
  /** The status, why something was dropped or refused. */
  readonly text?: string
}

export function encodeLine(message: object): string {
  return `${JSON.stringify({ version: CONTROL_VERSION, ...message })}\n`
}

/** @throws Error that says what was expected. */
export function decodeRequest(line: string): ControlRequest {
  const value = parseLine(line)
  switch (value['command']) {
    case 'list':
    case 'events':
      return { command: value['command'] }
    case 'register':
      return registerRequest(value)
    case 'unregister':
      return { command: 'unregister', name: nameIn(value), id: textIn(value, 'id') }
    default:
      throw unreadable('a command: register, unregister, list or events')
  }
}

/** @throws Error for what is no answer, and with the daemon's own words for one that says no. */
export function decodeReply(line: string): Readonly<Record<string, unknown>> {
  const value = parseLine(line)
  if (typeof value['error'] === 'string') throw new Error(value['error'])
  return value
}

function registerRequest(value: Readonly<Record<string, unknown>>): RegisterRequest {
  const { container, annotatedUnit, isRemoved } = value
  if (!isObject(container)) throw unreadable('a container')
  if (annotatedUnit !== undefined && !isUnitName(annotatedUnit))
    throw unreadable('the name of a unit as annotatedUnit')
  if (isRemoved !== undefined && isRemoved !== true) throw unreadable('true as isRemoved')
  return {
    command: 'register',
    name: nameIn(value),
    container: containerFacts(container),
    ...(annotatedUnit !== undefined && { annotatedUnit }),
    ...(isRemoved === true && { isRemoved }),
  }
}

function containerFacts(container: Readonly<Record<string, unknown>>): ContainerFacts {
  const { pid } = container
  if (pid !== undefined && !(Number.isSafeInteger(pid) && (pid as number) > 0))
    throw unreadable('the number of a process as pid')
  return {
    id: textIn(container, 'id'),
    engine: textIn(container, 'engine'),
    ...(pid !== undefined && { pid: pid as number }),
  }
}

function parseLine(line: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw unreadable('a line of JSON')
  }
  if (!isObject(value)) throw unreadable('an object')
  if (value['version'] !== CONTROL_VERSION)
    throw unreadable(`version ${CONTROL_VERSION}, found ${JSON.stringify(value['version'])}`)
  return value
}

function nameIn(value: Readonly<Record<string, unknown>>): string {
  const { name } = value
  if (typeof name === 'string' && isContainerName(name)) return name
  throw unreadable('a name of letters, digits and _.- that has at most 61 of them')
}

function textIn(value: Readonly<Record<string, unknown>>, key: string): string {
  const text = value[key]
  if (typeof text === 'string' && PLAIN_TEXT.test(text)) return text
  throw unreadable(`${key}, of 1 to 255 printable characters`)
}

const PLAIN_TEXT = /^[!-~][ -~]{0,254}$/

function isUnitName(value: unknown): value is string {
  return typeof value === 'string' && /^[\w:.\\@-]{1,255}$/.test(value)
}

function unreadable(what: string): Error {
  return new Error(`a request that cannot be read: expected ${what}`)
}
