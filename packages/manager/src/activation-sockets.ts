import { chmodSync, lstatSync, readFileSync, unlinkSync } from 'node:fs'
import {
  bindSocket,
  closeFd,
  describeSocket,
  FdWatcher,
  formatSocketAddress,
  setNonBlocking,
  type SocketAddress,
} from '@sdbridge/syscalls'
import { parseListenAddress } from './listen-address.js'
import type { SocketOptions } from './service-options.js'

/** One open socket. */
export interface ActivationSocket {
  readonly fd: number
  readonly name: string
  /** Where it listens, with the port that the kernel chose if 0 was asked for. */
  readonly address: SocketAddress
}

/** The sockets of a service. The manager holds them, so they outlive every run of the service. */
export class ActivationSockets {
  readonly all: readonly ActivationSocket[]
  #watchers: readonly FdWatcher[] = []

  /** @throws SystemError, such as `EADDRINUSE`; ManagerError for an address that is none. */
  constructor(sockets: readonly SocketOptions[]) {
    const opened: ActivationSocket[] = []
    this.all = opened
    try {
      for (const options of sockets) opened.push(open(options))
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Calls `onTraffic`, once, when something arrives at one of them. Nothing is taken from it. */
  watch(onTraffic: (socket: ActivationSocket) => void): void {
    this.unwatch()
    this.#watchers = this.all.map((socket) => {
      const watcher = new FdWatcher(socket.fd, () => {
        this.unwatch()
        onTraffic(socket)
      })
      watcher.arm('readable')
      return watcher
    })
  }

  unwatch(): void {
    for (const watcher of this.#watchers) watcher.close()
    this.#watchers = []
  }

  close(): void {
    this.unwatch()
    for (const { fd, address } of this.all) {
      closeFd(fd)
      if ('path' in address) unlinkSync(address.path)
    }
    ;(this.all as ActivationSocket[]).length = 0
  }
}

function open(options: SocketOptions): ActivationSocket {
  const wanted = parseListenAddress(options.listen)
  const path = 'path' in wanted ? wanted.path : undefined
  if (path !== undefined) removeStaleFile(path)
  const fd = bindSocket({ type: options.type ?? 'stream', address: wanted })
  // As systemd hands sockets over: whoever wants non-blocking calls says so.
  setNonBlocking(fd, false)
  if (path !== undefined) chmodSync(path, 0o666)
  const address = path === undefined ? describeSocket(fd)!.localAddress : wanted
  return { fd, address, name: options.name ?? formatSocketAddress(address).replaceAll(':', '-') }
}

// systemd replaces whatever socket it finds; here one that somebody still uses stays, and binding fails.
function removeStaleFile(path: string): void {
  const isSocket = lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
  if (!isSocket) return
  const bound = readFileSync('/proc/net/unix', 'utf8')
  if (!bound.split('\n').some((line) => line.endsWith(` ${path}`))) unlinkSync(path)
}
