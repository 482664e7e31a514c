import { parseArgs } from 'node:util'
import type { ServiceOptions, SocketOptions } from './service-options.js'

export const HELP = `Usage: sdrun [options] [--] COMMAND [ARGUMENT...]

Runs a service under an embedded service manager, for development without systemd: it gets
$NOTIFY_SOCKET, its sockets ($LISTEN_FDS) and its watchdog ($WATCHDOG_USEC) as from systemd, and what
it reports is shown.

Options, named after the settings of systemd.service(5) and systemd.socket(5):
  --type TYPE             notify (default), notify-reload or simple
  --listen-stream ADDR    open a stream socket for the service: 8080, 127.0.0.1:8080, [::1]:8080,
                          /a/path or @name; NAME=ADDR gives it a name; may be repeated
  --listen-datagram ADDR  the same for a datagram socket
  --listen-sequential-packet ADDR
                          the same for a sequential-packet socket: /a/path or @name
  --watchdog-sec N        expect a sign of life every N seconds
  --notify-access WHO     main (default), all, or none (default of simple)
  --timeout-start-sec N   default 90
  --timeout-stop-sec N    default 90
  --now                   start at once, although there are sockets to wait for
  --quiet                 show nothing but what the service prints itself
  --help                  show this text

Signals: SIGHUP reloads the service, SIGUSR2 restarts it holding its sockets, SIGTERM and SIGINT stop it;
a second one of these kills it.
Exit code: 0 if the service ended well, 1 if it failed, 2 for a mistake on the command line.

Example: sdrun --type notify-reload --listen-stream 8080 --watchdog-sec 2 node server.js
`

/** A mistake on the command line. */
export class UsageError extends Error {}

export interface RunOptions {
  service: ServiceOptions
  /** Start at once instead of at the first connection. */
  now: boolean
  quiet: boolean
}

/** @throws UsageError */
export function parseOptions(args: readonly string[]): RunOptions | 'help' {
  const { own, command } = split(args)
  const values = parse(own)
  if (values.help) return 'help'
  const [program, ...rest] = command
  if (program === undefined) throw new UsageError('no COMMAND to run was given')
  const sockets = [
    ...(values['listen-stream'] ?? []).map((text) => socketOf(text, 'stream')),
    ...(values['listen-datagram'] ?? []).map((text) => socketOf(text, 'dgram')),
    ...(values['listen-sequential-packet'] ?? []).map((text) => socketOf(text, 'seqpacket')),
  ]
  const service: ServiceOptions = { command: [program, ...rest], sockets }
  if (values.type !== undefined) service.type = values.type as NonNullable<ServiceOptions['type']>
  if (values['notify-access'] !== undefined) {
    service.notifyAccess = values['notify-access'] as NonNullable<ServiceOptions['notifyAccess']>
  }
  const watchdogMs = seconds(values, 'watchdog-sec')
  if (watchdogMs !== undefined) service.watchdogMs = watchdogMs
  const startTimeoutMs = seconds(values, 'timeout-start-sec')
  if (startTimeoutMs !== undefined) service.startTimeoutMs = startTimeoutMs
  const stopTimeoutMs = seconds(values, 'timeout-stop-sec')
  if (stopTimeoutMs !== undefined) service.stopTimeoutMs = stopTimeoutMs
  return {
    service,
    now: values.now === true || sockets.length === 0,
    quiet: values.quiet === true,
  }
}

const OPTIONS = {
  type: { type: 'string' },
  'listen-stream': { type: 'string', multiple: true },
  'listen-datagram': { type: 'string', multiple: true },
  'listen-sequential-packet': { type: 'string', multiple: true },
  'watchdog-sec': { type: 'string' },
  'notify-access': { type: 'string' },
  'timeout-start-sec': { type: 'string' },
  'timeout-stop-sec': { type: 'string' },
  now: { type: 'boolean' },
  quiet: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Values = ReturnType<typeof parse>

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

// The command's own options are not ours: everything from the first word that is no option is the command.
function split(args: readonly string[]): { own: string[]; command: readonly string[] } {
  let index = 0
  while (index < args.length) {
    const arg = args[index]!
    if (arg === '--') return { own: args.slice(0, index), command: args.slice(index + 1) }
    if (!arg.startsWith('-')) break
    index += takesValue(arg) ? 2 : 1
  }
  return { own: args.slice(0, index), command: args.slice(index) }
}

function takesValue(arg: string): boolean {
  const name = arg.slice(2) as keyof typeof OPTIONS
  return name in OPTIONS && OPTIONS[name].type === 'string'
}

function socketOf(text: string, type: NonNullable<SocketOptions['type']>): SocketOptions {
  // A path, or an abstract name, may hold '=' too.
  const [, name, listen] = /^([^/@=]+)=(.*)$/.exec(text) ?? []
  if (name === undefined || listen === undefined) return { listen: text, type }
  return { name, listen, type }
}

function seconds(values: Values, name: keyof Values & `${string}-sec`): number | undefined {
  const text = values[name]
  if (text === undefined) return undefined
  const number = Number(text)
  if (!(number > 0))
    throw new UsageError(`--${name} must be a positive number of seconds, not '${text}'`)
  return number * 1000
}
