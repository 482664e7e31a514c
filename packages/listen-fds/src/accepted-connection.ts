import { type DescriptorFacts, describeDescriptor } from './descriptor-facts.js'
import type { FdKind } from './fd-kind.js'
import { InheritedFd } from './inherited-fd.js'
import { claimFds, unclaimedFds } from './inventory.js'
import { parseInteger } from './parse-integer.js'
import { standardInput } from './standard-input.js'

export interface ConnectionOptions {
  /** The connection is the standard input: `StandardInput=socket` in the .service unit. Default false. */
  stdin?: boolean
  /** Where `REMOTE_ADDR`, `REMOTE_PORT` and `SO_COOKIE` are. Default `process.env`. */
  env?: NodeJS.ProcessEnv
}

/** The connection that this process was started for, and what the service manager says of it. */
export class AcceptedConnection extends InheritedFd {
  /**
   * `REMOTE_ADDR`: an IPv4 or IPv6 address, the path or `@name` of a unix client that has one (most do not), or `vsock:CID`.
   * `undefined` too if the client had gone before the manager looked.
   */
  readonly remoteAddress: string | undefined
  /** `REMOTE_PORT`, for IPv4, IPv6 and vsock. */
  readonly remotePort: number | undefined
  /** `SO_COOKIE` (systemd 258): the kernel's number for this socket, which no other gets before the next boot. */
  readonly socketCookie: bigint | undefined

  /** Made by `connection`. @hidden */
  constructor(fd: number, name: string, facts: DescriptorFacts, env: NodeJS.ProcessEnv) {
    super(fd, name, facts)
    const { REMOTE_ADDR, REMOTE_PORT, SO_COOKIE } = env
    this.remoteAddress = REMOTE_ADDR === '' ? undefined : REMOTE_ADDR
    this.remotePort = Number(integerFrom(REMOTE_PORT, 0xffff_ffffn)) || undefined
    this.socketCookie = integerFrom(SO_COOKIE, 0xffff_ffff_ffff_ffffn)
  }
}

const KINDS: readonly [FdKind, ...FdKind[]] = [
  'connection',
  'seqpacket-connection',
  'vsock-connection',
]

/**
 * Takes the connection that this process was started for: a service of which the manager starts one for each client.
 *
 * - Unit file: `Accept=yes` in the .socket unit, and a template, such as `echo@.service`.
 * - Duty: as for {@link listenFds}. Of the descriptors that were passed it takes the connection alone. It may be that the client
 *   has gone already.
 *
 * @returns `undefined` if no connection was passed: `Accept=no`, or no service manager.
 * @throws What `listenFds` throws; ListenFdsError `ERR_LISTEN_FDS_WRONG_KIND` if standard input is asked for and is none.
 * @see systemd.socket(5), Accept=; systemd.exec(5), $REMOTE_ADDR
 *
 * @example
 * const client = connection()
 * client?.openStream().end(`Hello ${client.remoteAddress}\n`)
 */
export function connection(options: ConnectionOptions = {}): AcceptedConnection | undefined {
  const { stdin = false, env = process.env } = options
  const passed = stdin ? connectionOfStdin() : connectionOfList()
  if (passed === undefined) return undefined
  const { fd, name } = passed
  return new AcceptedConnection(passed.handOver(), name, describeDescriptor(fd), env)
}

function connectionOfStdin(): InheritedFd {
  const input = standardInput()
  try {
    return input.expect(...KINDS)
  } catch (error) {
    input.close()
    throw error
  }
}

// It comes first; what was stored or opened by OpenFile= comes after it, and may be a connection as well.
function connectionOfList(): InheritedFd | undefined {
  const first = unclaimedFds().find(({ kind }) => KINDS.includes(kind))
  return claimFds((inherited) => inherited === first)[0]
}

function integerFrom(text: string | undefined, most: bigint): bigint | undefined {
  const value = parseInteger(text ?? '')
  return value !== undefined && value >= 0n && value <= most ? value : undefined
}
