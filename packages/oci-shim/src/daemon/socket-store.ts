import { notify } from '@sdbridge/notify'

/** All names share one string of the environment, of which the kernel takes 128 KiB (MAX_ARG_STRLEN): beyond that the daemon could not be started again. */
const MOST_NAME_BYTES = 96 * 1024

/**
 * The containers' sockets in the daemon's own descriptor store. A restart of the daemon finds them there, with all that was sent meanwhile.
 */
export class SocketStore {
  readonly #limit: number
  readonly #names = new Set<string>()
  #nameBytes = 0
  #next = 0

  /** @param limit `FileDescriptorStoreMax=`; 0 if there is no store. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get limit(): number {
    return this.#limit
  }

  get size(): number {
    return this.#names.size
  }

  /** What an earlier run has stored. */
  add(name: string): void {
    this.#names.add(name)
    this.#nameBytes += name.length + 1
    this.#next = Math.max(this.#next, Number.parseInt(name.slice(1), 36) + 1)
  }

  /** @throws Error if there is no room for another one. */
  checkRoom(): void {
    if (this.#limit === 0) return
    if (this.size >= this.#limit)
      throw new Error(
        `the daemon bridges ${this.size} containers, which is what its descriptor store holds: raise FileDescriptorStoreMax= of sdbridge.service`,
      )
    if (this.#nameBytes >= MOST_NAME_BYTES)
      throw new Error(
        `the daemon bridges ${this.size} containers: the names of more sockets would not fit into its environment at the next start`,
      )
  }

  /** Has the service manager keep a socket. @returns What it is called there; `undefined` if there is no store. */
  async put(fd: number): Promise<string | undefined> {
    if (this.#limit === 0) return undefined
    const name = `${PREFIX}${(this.#next++).toString(36)}`
    this.add(name)
    try {
      // It is not to be watched: a socket that hangs up is ours to drop.
      await notify({ fdStore: true, fdName: name, fdPoll: false }, { fds: [fd] })
    } catch (error) {
      this.#forget(name)
      throw error
    }
    return name
  }

  async remove(name: string): Promise<void> {
    this.#forget(name)
    await notify({ fdStoreRemove: true, fdName: name })
  }

  #forget(name: string): void {
    if (this.#names.delete(name)) this.#nameBytes -= name.length + 1
  }
}

const PREFIX = 'c'

/** Whether an inherited descriptor is one that {@link SocketStore} has stored. */
export function isStoredName(name: string): boolean {
  return /^c[\da-z]{1,10}$/.test(name)
}
