import { constants } from 'node:os'
import { ManagerError } from './errors.js'

/** A socket that the manager opens for the service, as a `.socket` unit describes it. */
export interface SocketOptions {
  /**
   * `ListenStream=`, `ListenDatagram=` or `ListenSequentialPacket=` of systemd.socket(5): a port (`8080`, all addresses), `127.0.0.1:8080`,
   * `[::1]:8080`, an absolute path, or `@name`.
   */
  listen: string | number
  /** Default `'stream'`; `'seqpacket'` for a path or `@name` only. */
  type?: 'stream' | 'dgram' | 'seqpacket'
  /** `FileDescriptorName=`: what the service finds in `$LISTEN_FDNAMES`. Default: the address as it is listened on. */
  name?: string
}

/** A service, with the names and defaults of systemd.service(5). */
export interface ServiceOptions {
  /** `ExecStart=`: the program and its arguments. */
  command: readonly [string, ...string[]]
  /** `Type=`. Default `'notify'`. */
  type?: 'simple' | 'notify' | 'notify-reload'
  /**
   * `Environment=`; the manager adds its own variables. Default: this process's. A name that a shell could not use
   * (`my-var`) does not arrive, because a shell starts the service.
   */
  env?: NodeJS.ProcessEnv
  /** `WorkingDirectory=`. */
  cwd?: string
  sockets?: readonly SocketOptions[]
  /** `WatchdogSec=`, in milliseconds. Default: not watched. */
  watchdogMs?: number
  /**
   * `NotifyAccess=`: whose messages count. `'all'` means every process that reaches the socket. Default: `'none'` for
   * `Type=simple` without a watchdog, otherwise `'main'`, as in systemd; the others cannot have `'none'`.
   */
  notifyAccess?: 'none' | 'main' | 'all'
  /** `TimeoutStartSec=`, in milliseconds; also limits a reload. Default 90,000. */
  startTimeoutMs?: number
  /** `TimeoutStopSec=`, in milliseconds. Default 90,000. */
  stopTimeoutMs?: number
  /** `ReloadSignal=`. Default `'SIGHUP'`. */
  reloadSignal?: NodeJS.Signals
  /** `KillSignal=`. Default `'SIGTERM'`. */
  killSignal?: NodeJS.Signals
  /** `WatchdogSignal=`. Default `'SIGABRT'`. */
  watchdogSignal?: NodeJS.Signals
  /** Where the service's standard output and error go. Default `'inherit'`. */
  output?: 'inherit' | 'ignore' | 'pipe'
}

/** The options with every default filled in. */
export type Unit = Required<Omit<ServiceOptions, 'cwd' | 'watchdogMs'>> &
  Pick<ServiceOptions, 'cwd' | 'watchdogMs'>

// What fits into one timer of Node, about 24 days.
const LONGEST_MS = 2 ** 31 - 1
// A backslash would be grammatical, but sd_listen_fds_with_names(3) takes it for an escape.
const FD_NAME = /^[ -9;-[\]-~]{0,255}$/

/** @throws ManagerError `ERR_MANAGER_INVALID_OPTION`. */
export function unitOf(options: ServiceOptions): Unit {
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  )
  const unit: Unit = { ...DEFAULTS, env: process.env, ...(given as unknown as ServiceOptions) }
  checkCommand(unit.command)
  oneOf(unit, 'type', ['simple', 'notify', 'notify-reload'])
  oneOf(unit, 'notifyAccess', ['none', 'main', 'all'])
  oneOf(unit, 'output', ['inherit', 'ignore', 'pipe'])
  for (const { name } of unit.sockets) {
    if (name !== undefined && !FD_NAME.test(name)) {
      refuse(
        'a socket name',
        'printable ASCII without colon or backslash, 255 characters at most',
        name,
      )
    }
  }
  for (const key of ['reloadSignal', 'killSignal', 'watchdogSignal'] as const) {
    if (!(unit[key] in constants.signals))
      refuse(key, "a signal's name, such as SIGTERM", unit[key])
  }
  for (const key of ['startTimeoutMs', 'stopTimeoutMs', 'watchdogMs'] as const) {
    const value = unit[key]
    if (value !== undefined && !(value >= 1 && value <= LONGEST_MS)) {
      refuse(key, `a number of milliseconds from 1 to ${LONGEST_MS}`, value)
    }
  }
  // As systemd does it: whoever waits for messages has to hear some.
  const mustHear = unit.type !== 'simple' || unit.watchdogMs !== undefined
  if (mustHear && unit.notifyAccess === 'none') unit.notifyAccess = 'main'
  return unit
}

const DEFAULTS = {
  type: 'notify',
  sockets: [],
  notifyAccess: 'none',
  startTimeoutMs: 90_000,
  stopTimeoutMs: 90_000,
  reloadSignal: 'SIGHUP',
  killSignal: 'SIGTERM',
  watchdogSignal: 'SIGABRT',
  output: 'inherit',
} as const

function checkCommand(command: unknown): void {
  const valid =
    Array.isArray(command) &&
    command.length > 0 &&
    command[0] !== '' &&
    command.every((word) => typeof word === 'string' && !word.includes('\0'))
  if (!valid) refuse('command', 'an array of a program and its arguments', command)
}

function oneOf<K extends keyof Unit>(unit: Unit, key: K, values: readonly Unit[K][]): void {
  if (!values.includes(unit[key])) refuse(key, values.join(' or '), unit[key])
}

function refuse(option: string, expected: string, found: unknown): never {
  throw new ManagerError(
    'ERR_MANAGER_INVALID_OPTION',
    `${option} must be ${expected}, not ${JSON.stringify(found)}`,
  )
}
