import { native } from './native.js'
import { check, invalid } from './system-error.js'

/** Opens a pipe; both ends are close-on-exec and non-blocking, and belong to the caller (pipe(2)). */
export function pipe(): { readFd: number; writeFd: number } {
  const fds = new Int32Array(2)
  check(native().pipe(fds), 'pipe2')
  return { readFd: fds[0]!, writeFd: fds[1]! }
}

/**
 * Opens another descriptor for the same open file description, close-on-exec, with the lowest free number from 3 on: never a
 * standard stream (fcntl(2), F_DUPFD_CLOEXEC). It belongs to the caller. What changes the description, such as
 * {@link setNonBlocking}, changes it for both.
 *
 * @throws SystemError `EBADF`; `EMFILE` if this process may have no more.
 */
export function duplicateFd(fd: number): number {
  return check(native().duplicate(fd), 'fcntl', `fd ${fd}`)
}

/** Closes, at once, a descriptor that this process made itself. */
export function closeFd(fd: number): void {
  check(native().close(fd), 'close')
}

/**
 * Closes descriptors that another process sent. Such a close can block for as long as the sender chose
 * (a socket with `SO_LINGER` and unsent data, a file of a FUSE server), so it happens on a thread of its
 * own: they are closed soon after this returns, and errors go nowhere.
 */
export function closeForeignFds(fds: readonly number[]): void {
  if (fds.length > 0) native().closeOnThread(fdArray(fds))
}

/** Whether the descriptor is closed when this process executes another program (fcntl(2), FD_CLOEXEC). */
export function isCloexec(fd: number): boolean {
  return check(native().getCloexec(fd), 'fcntl', `fd ${fd}`) === 1
}

/** Sets or clears FD_CLOEXEC. */
export function setCloexec(fd: number, on: boolean): void {
  check(native().setCloexec(fd, on ? 1 : 0), 'fcntl', `fd ${fd}`)
}

/** Whether calls on the descriptor return `EAGAIN` instead of waiting (fcntl(2), O_NONBLOCK). */
export function isNonBlocking(fd: number): boolean {
  return check(native().getNonBlocking(fd), 'fcntl', `fd ${fd}`) === 1
}

/** Sets or clears O_NONBLOCK. All holders of the same open file see the change. */
export function setNonBlocking(fd: number, on: boolean): void {
  check(native().setNonBlocking(fd, on ? 1 : 0), 'fcntl', `fd ${fd}`)
}

/**
 * Copies descriptors' numbers into the memory that native functions read.
 *
 * @throws TypeError if one cannot be a descriptor: `Int32Array` would make 0 of it, which is one.
 */
export function fdArray(fds: readonly number[]): Int32Array {
  for (const fd of fds) {
    if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fff_ffff) {
      throw invalid(`not a descriptor: ${String(fd)}`)
    }
  }
  return Int32Array.from(fds)
}
