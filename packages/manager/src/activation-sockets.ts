import { chmodSync } from 'node:fs'
import {
  bindSocket,
  closeFd,
  describeSocket,
  FdWatcher,
  formatSocketAddress,
  ownSocketFile,
  removeStaleSocketFile,
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
  readonly #all: ActivationSocket[] = []
  readonly #removeFiles: (() => void)[] = []
  #watchers: readonly FdWatcher[] = []

  /** @throws SystemError, such as `EADDRINUSE`; ManagerError for an address that is none. */
  constructor(sockets: readonly SocketOptions[]) {
    try {
      for (const options of sockets) this.#open(options)
    } catch (error) {
      this.close()
      throw error
    }
  }

  get all(): readonly ActivationSocket[] {
    return this.#all
  }

  /** Calls `onTraffic`, once, when something arrives at one of them. Nothing is taken from it. */
  watch(onTraffic: (socket: ActivationSocket) => void): void {
    this.unwatch()
    this.#watchers = this.#all.map((socket) => {
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

  /** Closes them and removes their files. Closing twice is harmless. */
  close(): void {
    this.unwatch()
    // Emptied first: a number that was closed may be somebody else's the next moment.
    for (const { fd } of this.#all.splice(0)) closeFd(fd)
    for (const removeFile of this.#removeFiles.splice(0)) removeFile()
  }

  #open(options: SocketOptions): void {
    const wanted = parseListenAddress(options.listen)
    const path = 'path' in wanted ? wanted.path : undefined
    if (path !== undefined) removeStaleSocketFile(path)
    const fd = bindSocket({ type: options.type ?? 'stream', address: wanted })
    const address = path === undefined ? describeSocket(fd)!.localAddress : wanted
    const name = options.name ?? defaultName(address)
    this.#all.push({ fd, address, name })
    if (path === undefined) return
    this.#removeFiles.push(ownSocketFile(path))
    chmodSync(path, 0o666)
  }
}

// The address without what a name must not hold (systemd.socket(5), FileDescriptorName=).
function defaultName(address: SocketAddress): string {
  return formatSocketAddress(address)
    .replaceAll(/[^ -~]|[:\\]/g, '-')
    .slice(0, 255)
}
