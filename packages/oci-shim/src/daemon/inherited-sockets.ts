import { listenFds } from '@sdbridge/listen-fds'
import { bindSocket, removeStaleSocketFile } from '@sdbridge/syscalls'
import { chmodSync, mkdirSync } from 'node:fs'
import type { StoredSocket } from './containers.js'
import { controlSocketOf, descriptorSocketOf, type Places } from './places.js'
import { isStoredName } from './socket-store.js'

/** What the daemon listens at, and what an earlier run has left in the descriptor store. */
export interface InheritedSockets {
  /** Listening; the caller's. */
  readonly control: number
  readonly descriptors: number
  /** `undefined` if its unit is switched off. */
  readonly metrics: number | undefined
  /** By their paths. */
  readonly stored: ReadonlyMap<string, StoredSocket>
}

/**
 * Takes what the service manager has passed: each is known by its own address. Without it, as when it is started by hand, the daemon opens its sockets
 * itself.
 *
 * @param tell Hears of what is of no use.
 * @throws SystemError, ListenFdsError
 */
export function takeInheritedSockets(
  places: Places,
  tell: (message: string) => void,
): InheritedSockets {
  const stored = new Map<string, StoredSocket>()
  const byPath = new Map<string, number>()
  const paths = {
    control: controlSocketOf(places),
    descriptors: descriptorSocketOf(places),
    metrics: places.metrics,
  }
  for (const inherited of listenFds()) {
    const { address, kind, name } = inherited
    if (kind === 'unix-datagram' && isStoredName(name) && address !== undefined) {
      stored.set(address, { storedAs: name, socket: inherited.openDatagramSocket() })
    } else if (address !== undefined && Object.values(paths).includes(address)) {
      byPath.set(address, inherited.handOver())
    } else {
      tell(
        `a ${kind} descriptor ${JSON.stringify(name)} at ${address ?? 'no address'} is of no use here`,
      )
      inherited.close()
    }
  }
  const open = (path: string, type: 'stream' | 'seqpacket'): number =>
    byPath.get(path) ?? bind(path, type, places)
  return {
    control: open(paths.control, 'stream'),
    descriptors: open(paths.descriptors, 'seqpacket'),
    metrics: byPath.size === 0 ? bind(paths.metrics, 'stream', places) : byPath.get(paths.metrics),
    stored,
  }
}

function bind(path: string, type: 'stream' | 'seqpacket', { runtime }: Places): number {
  mkdirSync(runtime, { recursive: true, mode: 0o700 })
  removeStaleSocketFile(path)
  const umask = process.umask(0o177)
  try {
    const fd = bindSocket({ type, address: { family: 'unix', path } })
    chmodSync(path, 0o600)
    return fd
  } finally {
    process.umask(umask)
  }
}
