import { FdWatcher } from '@sdbridge/syscalls'
import createDebug from 'debug'

const debug = createDebug('sdbridge:proxy:barrier')

/** Ends the waiting; before the descriptor is closed. */
export type StopWatching = () => void

/**
 * Calls back, once, when the other end of a pipe is closed. It does not keep the process alive. Where it cannot be waited for (no memory
 * for that, say), it never calls, and returns `undefined`.
 */
export function onceHangup(fd: number, callback: () => void): StopWatching | undefined {
  let watcher: FdWatcher | undefined
  try {
    watcher = new FdWatcher(fd, () => {
      watcher?.close()
      callback()
    }).unref()
    watcher.arm('hangup')
  } catch (error) {
    debug('cannot wait for the end of a barrier: %s', (error as Error).message)
    watcher?.close()
    return undefined
  }
  return () => watcher?.close()
}
