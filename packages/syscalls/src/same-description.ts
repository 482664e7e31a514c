import { native } from './native.js'
import { check } from './system-error.js'

/**
 * Whether two descriptors of this process are one open file description (open(2)): one was duplicated from the other, inherited or
 * sent, and so they share the offset and the flags. Opening a file twice makes two.
 *
 * @returns `undefined` where the kernel does not tell: before Linux 6.10 (F_DUPFD_QUERY), if it has no kcmp(2) or a sandbox forbids
 *   that.
 * @throws SystemError `EBADF`.
 */
export function isSameDescription(fdA: number, fdB: number): boolean | undefined {
  // Until 6.12 the kernel does not care whether the second is open, and before 6.10 it says EBADF of what O_PATH opened.
  for (const fd of [fdA, fdB]) check(native().getCloexec(fd), 'fcntl', `fd ${fd}`)
  const same = native().dupfdQuery(fdA, fdB)
  if (same >= 0) return same === 1
  const order = native().kcmpFile(fdA, fdB)
  return order < 0 ? undefined : order === 0
}
