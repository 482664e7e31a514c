import { isCloexec, isNonBlocking, setCloexec, setNonBlocking } from './fd.js'
import { native } from './native.js'
import { check } from './system-error.js'

/**
 * Makes a descriptor that was inherited what those of this package are: close-on-exec, non-blocking, and closed when this thread
 * ends, if nobody has by then. Where that fails it is the caller's, as it was.
 *
 * @param prepare What else can fail, while all can still be undone.
 */
export function adoptFd(fd: number, prepare: () => void = () => {}): void {
  const wasCloexec = isCloexec(fd)
  const wasNonBlocking = isNonBlocking(fd)
  try {
    setCloexec(fd, true)
    setNonBlocking(fd, true)
    prepare()
    check(native().own(fd), 'malloc')
  } catch (error) {
    native().setCloexec(fd, wasCloexec ? 1 : 0)
    native().setNonBlocking(fd, wasNonBlocking ? 1 : 0)
    throw error
  }
}
