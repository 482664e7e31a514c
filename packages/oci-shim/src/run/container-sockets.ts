import { type InheritedFd, ListenFdsError, listenFds } from '@sdbridge/listen-fds'
import { nameWithoutPrefix } from '../proxy/stored-name.js'
import { BridgeError } from './bridge-error.js'

/** In front of the names of what a container stores, so that it cannot touch, or be taken for, the unit's own sockets. */
export const STORE_PREFIX = 'sdbridge.'

/** The descriptors that the unit was started with, in their order. */
export interface ContainerSockets {
  readonly fds: readonly InheritedFd[]
  /** What the payload is to know them by. */
  readonly names: readonly string[]
  /** The names, with their prefix, of what is in the descriptor store. */
  readonly stored: readonly string[]
}

/** Takes the descriptors, and removes the variables that announce them. */
export function takeSockets(): ContainerSockets {
  const fds = inherited()
  return {
    fds,
    names: fds.map(({ name }) => nameWithoutPrefix(STORE_PREFIX, name) ?? name),
    stored: fds
      .map(({ name }) => name)
      .filter((name) => nameWithoutPrefix(STORE_PREFIX, name) !== undefined),
  }
}

function inherited(): readonly InheritedFd[] {
  try {
    return listenFds()
  } catch (error) {
    if (error instanceof ListenFdsError)
      throw new BridgeError('ERR_BRIDGE_FAILED', error.message, { cause: error })
    throw error
  }
}
