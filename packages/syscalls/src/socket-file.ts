import { lstatSync, unlinkSync, type Stats } from 'node:fs'
import { DatagramSocket } from './datagram-socket.js'

/**
 * Removes the socket file that an owner which is gone left behind. Anything else at the path stays: a socket of
 * whatever type that somebody still holds, a file of another kind; binding then fails with `EADDRINUSE`.
 */
export function removeStaleSocketFile(path: string): void {
  if (statOf(path)?.isSocket() !== true) return
  // A living socket of another type answers EPROTOTYPE, so a datagram socket can probe them all.
  const probe = new DatagramSocket('unix')
  try {
    probe.connect({ family: 'unix', path })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') unlinkSync(path)
  } finally {
    probe.close()
  }
}

/**
 * Remembers the socket file at `path`, and returns what removes it if it is still the same one: not if it is gone
 * already, or if somebody else has put a file there since.
 */
export function ownSocketFile(path: string): () => void {
  const own = statOf(path)
  return () => {
    const now = statOf(path)
    if (own !== undefined && now?.ino === own.ino && now.dev === own.dev) unlinkSync(path)
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}
