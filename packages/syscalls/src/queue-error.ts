import { native } from './native.js'
import { type SystemError, systemError } from './system-error.js'

const EBADF = -9

/**
 * Makes the error of a message queue. A "bad descriptor" can be a good one that was opened for the other direction.
 *
 * @param other That direction.
 */
export function queueError(
  errno: number,
  syscall: string,
  fd: number,
  other: 'receiving' | 'sending',
): SystemError {
  const isOpen = native().getCloexec(fd) >= 0
  const why = errno === EBADF && isOpen ? `, a message queue opened for ${other} only` : ''
  return systemError(errno, syscall, `fd ${fd}${why}`)
}
