import { FdWatcher } from '@sdbridge/syscalls'

/**
 * Whether the service manager can watch a descriptor in its store for a hang-up: it asks the kernel for the same. Those that it need not
 * watch, as files, count; those that it cannot, as what was opened with O_PATH or an epoll instance around too many others, do not.
 */
export function isPollable(fd: number): boolean {
  const watcher = new FdWatcher(fd, () => {}).unref()
  try {
    watcher.arm('hangup')
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  } finally {
    watcher.close()
  }
}
