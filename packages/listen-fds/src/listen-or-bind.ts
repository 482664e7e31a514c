import dgram, { type BindOptions } from 'node:dgram'
import { once } from 'node:events'
import net, { type ListenOptions } from 'node:net'
import { listenBacklog } from '@sdbridge/syscalls'
import { ListenFdsError } from './errors.js'
import type { FdKind } from './fd-kind.js'
import type { InheritedFd } from './inherited-fd.js'
import { claimFds, passedFds, unclaimedFds } from './inventory.js'
import { nameFilter } from './name-filter.js'
import { takeFdOfPrimary } from './primary-fds.js'
import { serveOn, type ServedListener } from './serve-on.js'
import { warnOnce } from './warn-once.js'

export interface ListenOrBindOptions<Fallback> {
  /**
   * The descriptor's name (`FileDescriptorName=`). Without it, the first that nobody has taken and the server can use. If a single one was
   * passed, and without a name (`systemd-socket-activate -l 8080`), that is meant by any name.
   */
  name?: string
  /**
   * Where to listen if nothing was inherited: a port, or what `listen()` or `bind()` take. Without it that is an error: for
   * services that make no sense without their .socket unit.
   */
  fallback?: Fallback
  /**
   * The most connections that wait to be accepted. Default: what the unit's `Backlog=` says, which `server.listen(inherited)` would
   * lower to 511; for unix sockets, which do not tell it, as many as the system allows.
   */
  backlog?: number
}

/** Where a server listens. */
export interface ListeningOn {
  /** Whether the service manager opened the socket. */
  readonly inherited: boolean
  /** The address as text, such as `127.0.0.1:80`, `[::]:80` or `/run/web.sock`; `undefined` if it has none. */
  readonly address: string | undefined
  /** What stops the listening, for a vsock socket alone, which the server itself does not know of; see {@link serveOn}. */
  readonly listener?: ServedListener
}

const STREAM: readonly [FdKind, ...FdKind[]] = ['tcp-listener', 'unix-listener', 'vsock-listener']
const DATAGRAM: readonly [FdKind, ...FdKind[]] = ['udp']
/** More than any system allows, so it means: as many as it allows. */
const NO_LIMIT = 0x7fff_ffff

/**
 * Makes a server listen on the socket that was inherited, or if there is none, on an ordinary port: the same line
 * under the service manager and on a laptop. For servers of node:net, tls, http, https and http2, and so for whatever is built on
 * them; and for sockets of node:dgram.
 *
 * - Unit file: `ListenStream=` (for a node:dgram socket `ListenDatagram=`) and `FileDescriptorName=` in a .socket unit; or a
 *   socket of that name in the descriptor store.
 * - `ListenStream=vsock:CID:PORT` is served by {@link serveOn}: stop it by `close()` of the `listener` that this returns.
 * - In a worker of node:cluster it takes the sockets that were passed to the primary process, as long as that has not called `listenFds()`
 *   or a function beside it.
 * - Where other descriptors were passed, but none of this name, it falls back with a warning of the process (code
 *   `LISTEN_FDS_NO_SUCH_NAME`).
 *
 * @returns When it listens.
 * @throws What `listenFds` throws; ListenFdsError `ERR_LISTEN_FDS_WRONG_KIND` if the server cannot use what has the name,
 *   `ERR_LISTEN_FDS_NOT_PASSED` without a fallback; and the server's own error, such as `EADDRINUSE`.
 *
 * @example
 * const { address } = await listenOrBind(server, { name: 'web', fallback: 8080 })
 * console.log('serving on', address)
 */
export function listenOrBind(
  server: net.Server,
  options?: ListenOrBindOptions<number | string | ListenOptions>,
): Promise<ListeningOn>
export function listenOrBind(
  socket: dgram.Socket,
  options?: ListenOrBindOptions<number | BindOptions>,
): Promise<ListeningOn>
export async function listenOrBind(
  server: net.Server | dgram.Socket,
  options: ListenOrBindOptions<number | string | ListenOptions | BindOptions> = {},
): Promise<ListeningOn> {
  checkServer(server)
  const inherited = claimFor(server, options.name)
  if (inherited?.kind === 'vsock-listener') return serveVsock(server as net.Server, inherited)
  const fd = inherited?.handOver() ?? takeFdOfPrimary(options.name)
  const listening = once(server, 'listening')
  if (fd === undefined) fallBack(server, options)
  else if (server instanceof net.Server) server.listen({ fd }, options.backlog ?? backlogOf(fd))
  else server.bind({ fd })
  await listening
  return { inherited: fd !== undefined, address: inherited?.address ?? addressOf(server) }
}

function serveVsock(server: net.Server, inherited: InheritedFd): ListeningOn {
  const listener = serveOn(inherited.fd, server)
  inherited.handOver()
  return { inherited: true, address: inherited.address, listener }
}

function checkServer(server: unknown): void {
  if (server instanceof net.Server || server instanceof dgram.Socket) return
  const message =
    'expected a server of node:net, tls, http, https or http2, or a socket of node:dgram; ' +
    'for a framework, give the server that it is run by, such as createServer(app) of node:http'
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' })
}

function claimFor(
  server: net.Server | dgram.Socket,
  name: string | undefined,
): InheritedFd | undefined {
  const kinds = server instanceof net.Server ? STREAM : DATAGRAM
  const unclaimed = unclaimedFds()
  const isMeant = nameFilter(
    name,
    passedFds().map((fd) => fd.name),
  )
  const named = unclaimed.filter((fd) => isMeant(fd.name))
  // One .socket unit can open TCP and UDP, and calls both the same.
  const usable = named.find(({ kind }) => kinds.includes(kind))
  if (usable === undefined) {
    if (name !== undefined) named[0]?.expect(...kinds)
    return undefined
  }
  if (server instanceof dgram.Socket) checkFamily(server, usable)
  return claimFds((fd) => fd === usable)[0]
}

// Node would take it, and could then send to nobody.
function checkFamily(socket: dgram.Socket, { fd, name, family, kind }: InheritedFd): void {
  const type: unknown = Reflect.get(socket, 'type')
  const needed = family === 'inet6' ? 'udp6' : 'udp4'
  if (type === needed) return
  throw new ListenFdsError(
    'ERR_LISTEN_FDS_WRONG_KIND',
    `descriptor ${fd} (${JSON.stringify(name)}) is an ${String(family)} socket: expected one of createSocket('${needed}') to adopt it, ` +
      `found ${String(type)}; ListenDatagram= with a port alone opens an IPv6 socket, with 0.0.0.0:PORT an IPv4 one`,
    { fd, fdName: name, expected: DATAGRAM, found: kind },
  )
}

function fallBack(
  server: net.Server | dgram.Socket,
  { name, fallback, backlog }: ListenOrBindOptions<number | string | ListenOptions | BindOptions>,
): void {
  const wanted =
    name === undefined ? 'inherited socket' : `inherited socket named ${JSON.stringify(name)}`
  const passed = passedFds()
    .map((fd) => `${fd.fd} ${JSON.stringify(fd.name)} (${fd.kind})`)
    .join(', ')
  if (fallback === undefined) {
    throw new ListenFdsError(
      'ERR_LISTEN_FDS_NOT_PASSED',
      `there is no ${wanted} for this server, and no fallback to listen on; passed: ${passed || 'nothing'}. ` +
        'Start it by a .socket unit, or by systemd-socket-activate -l 8080; ' +
        'FileDescriptorName= in the unit is its name',
      name === undefined ? {} : { fdName: name },
    )
  }
  if (passed !== '' && !passedFds().some((fd) => fd.name === name)) {
    warnOnce(
      'LISTEN_FDS_NO_SUCH_NAME',
      `there is no ${wanted}, so this listens on the fallback; passed: ${passed}. FileDescriptorName= in the .socket unit is the name`,
    )
  }
  if (server instanceof dgram.Socket) server.bind(fallback as BindOptions)
  else if (typeof fallback === 'object')
    server.listen({ ...(fallback as ListenOptions), ...(backlog !== undefined && { backlog }) })
  else server.listen(fallback, backlog)
}

function backlogOf(fd: number): number {
  try {
    return listenBacklog(fd) ?? NO_LIMIT
  } catch {
    // Without the addon, or in a worker of a cluster, where the descriptor is in another process.
    return NO_LIMIT
  }
}

function addressOf(server: net.Server | dgram.Socket): string | undefined {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return bound ?? undefined
  const { family, address, port } = bound
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}
